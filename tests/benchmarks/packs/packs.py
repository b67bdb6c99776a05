"""Model packs of buffalo_l's and buffalo_sc's architectures, with random weights: `faceserve bench packs`.

They cost what the real packs cost and need no download or licence. Their detector calls green spots faces, so that
whole requests can be measured; who is in a picture they cannot tell.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import onnx

from encoders.packs.directory import Pack, find_pack
from encoders.packs.install import install
from encoders.packs.manifest import PackManifest, write_manifest
from tests.benchmarks.packs.arcface import iresnet50, mobilefacenet
from tests.benchmarks.packs.scrfd import scrfd_10g, scrfd_500m

# Known packs are held to their digests, so these need names of their own.
PACKS: Mapping[str, tuple[Callable[[], onnx.ModelProto], Callable[[], onnx.ModelProto]]] = MappingProxyType(
    {"bench_l": (scrfd_10g, iresnet50), "bench_sc": (scrfd_500m, mobilefacenet)}
)
SPOT_PX = 320  # radius at a longer side of 1,280: wide enough for a cell of 16 px at a detector input of 320
# A quarter of a cell beside the middle: a spot between two cells scores the same in both, and its box hops.
MIDDLE = (648 / 1280, 488 / 960)


def make_pack(models_dir: Path, name: str) -> Pack:
    """Return the pack `name`, made in `models_dir` unless it is there."""
    if (models_dir / name).is_dir():
        return find_pack(models_dir, name)
    detector, recogniser = PACKS[name]

    def fill(directory: Path) -> None:
        onnx.save(detector(), str(directory / "det.onnx"))
        onnx.save(recogniser(), str(directory / "rec.onnx"))
        manifest = PackManifest(
            licence="random weights: free of any", commercial_use=True, detector="det.onnx", recogniser="rec.onnx"
        )
        write_manifest(directory, manifest)

    return install(models_dir, name, fill, "keep")


def draw_picture(
    seed: int,
    width: int = 1280,
    height: int = 960,
    faces: Sequence[tuple[float, float]] = (MIDDLE,),
    spot_px: float = SPOT_PX,
) -> np.ndarray:
    """Return a picture, BGR (height, width, 3), in which the packs find a face around each of `faces`.

    These are centres in shares of the width and the height, `spot_px` the radius of their spots at a longer side of
    1,280. Behind them clouds of grey, no two pictures' the same.
    """
    random = np.random.default_rng(seed)
    clouds = np.zeros((height, width), np.float32)
    for cells in (4, 16, 64, 256):
        noise = random.random((cells * height // width + 1, cells)).astype(np.float32)
        clouds += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) / np.sqrt(cells)
    grey = cv2.normalize(clouds, None, 20, 235, cv2.NORM_MINMAX).astype(np.uint8)
    pixels = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    radius = spot_px * max(width, height) / 1280
    rows, columns = np.mgrid[0:height, 0:width]
    for x, y in faces:
        distance = np.hypot(columns - x * width, rows - y * height)
        share = np.clip(1 - distance / radius, 0, 1)[:, :, None]  # (height, width, 1)
        pixels = (pixels * (1 - share) + np.array((0, 255, 0)) * share).astype(np.uint8)
    return pixels


def draw_group(seed: int, faces: int) -> np.ndarray:
    """Return a picture of 1280x960 in which the packs find so many faces, at most 20, at a detector input of 640."""
    places = [(168 + 224 * column, 136 + 224 * row) for row in range(4) for column in range(5)]
    return draw_picture(seed, faces=[(x / 1280, y / 960) for x, y in places[:faces]], spot_px=100)


def jpeg(pixels: np.ndarray, quality: int = 90) -> bytes:
    """Return `pixels` as a JPEG."""
    return bytes(cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models-dir", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, help="draw pictures that the packs find faces in into this folder")
    parser.add_argument("--count", type=int, default=16, help="how many of them")
    parser.add_argument("names", nargs="*", help="by default all")
    arguments = parser.parse_args()
    for name in arguments.names or PACKS:
        pack = make_pack(arguments.models_dir, name)
        megabytes = [f"{path.stat().st_size / 1e6:.0f} MB" for path in (pack.detector, pack.recogniser)]
        print(f"{name}: detector {megabytes[0]}, recogniser {megabytes[1]}")
    if arguments.pictures is not None:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
        for seed in range(arguments.count):
            (arguments.pictures / f"{seed:03}.jpg").write_bytes(jpeg(draw_picture(seed)))


if __name__ == "__main__":
    main()
