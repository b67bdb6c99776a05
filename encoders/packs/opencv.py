"""Makes the pack `opencv` from the files that come with the installation: no download, about a second."""

from importlib.resources import files
from pathlib import Path

from encoders.errors import PackCorrupt
from encoders.packs.catalog import KNOWN_PACKS, OPENCV_PACK
from encoders.packs.directory import Pack, find_pack
from encoders.packs.install import ORIGIN_FILE, install
from encoders.packs.manifest import manifest_of, write_manifest

LICENCES = ("LICENSE.yunet", "LICENSE.sface")
ORIGIN = """YuNet (2023mar) and SFace (2021dec) of OpenCV's model zoo, https://github.com/opencv/opencv_zoo.
faceserve has changed both files: their weights are written out in float32, and their inputs and outputs are those of
SCRFD and ArcFace. YuNet: MIT, see LICENSE.yunet. SFace: Apache-2.0, see LICENSE.sface.
YuNet was trained on WIDER FACE. The publisher of SFace does not say which photos it was trained on.
"""


def find_or_make(models_dir: Path, name: str) -> Pack:
    """Return the pack `name`; `opencv` is made if it is not there. Raises as `find_pack` and `install` do."""
    if name == OPENCV_PACK and not (models_dir / name).exists():
        return make_opencv_pack(models_dir)
    return find_pack(models_dir, name)


def make_opencv_pack(models_dir: Path) -> Pack:
    """Return the pack `opencv` in `models_dir`, made unless it is sound already.

    Raises PackNotFound where the installation lacks its source files, PackCorrupt where this machine makes other files
    than every other one, and what `install` raises.
    """
    return install(models_dir, OPENCV_PACK, _fill, "keep")


def _fill(directory: Path) -> None:
    from encoders.opencv_zoo import sface, sources, yunet  # onnx takes 0.3 s to import

    known = KNOWN_PACKS[OPENCV_PACK]
    source = sources.installed_directory(OPENCV_PACK)
    try:
        yunet.rewrite(sources.read(source, sources.YUNET, OPENCV_PACK), directory / known.detector)
        sface.rewrite(sources.read(source, sources.SFACE, OPENCV_PACK), directory / known.recogniser)
    except (ValueError, KeyError) as exc:
        raise PackCorrupt(OPENCV_PACK, f"Its source cannot be rewritten: {exc}.") from exc
    for licence in LICENCES:
        text = files("encoders.opencv_zoo").joinpath("licences", licence).read_bytes()
        (directory / licence).write_bytes(text)
    (directory / ORIGIN_FILE).write_text(ORIGIN, encoding="utf-8")
    write_manifest(directory, manifest_of(known))  # for whoever brings the pack in under another name
