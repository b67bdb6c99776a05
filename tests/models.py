"""The model pack that tests use everywhere: the one that comes with the installation."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from encoders.packs.catalog import OPENCV_PACK
from encoders.packs.opencv import make_opencv_pack


@cache
def opencv_models_dir() -> Path:
    """Return a models directory with the pack `opencv`, made once for this process and removed at its end."""
    directory = Path(tempfile.mkdtemp(prefix="faceserve-models-"))
    directory.chmod(0o755)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    make_opencv_pack(directory)
    return directory


def opencv_settings() -> dict[str, Any]:
    """Return the encoder's part of the settings of a service with that pack."""
    return {"pack": OPENCV_PACK, "models_dir": str(opencv_models_dir())}
