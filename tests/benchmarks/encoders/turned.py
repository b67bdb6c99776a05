"""The cost of finding out which way up a photo is, for photos that are upright and for others."""

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from encoders.detection.rotation import ROTATIONS, back, rotated
from encoders.images.decoding import ImageLimits, decode
from encoders.pack_encoder import InsightFacePackEncoder
from encoders.packs.directory import find_pack
from encoders.runtimes.sessions import open_session
from encoders.types import AnalyzeOptions
from tests.benchmarks.results import table

LONGEST_PX = (500, 1000, 1600)  # of each photo's copies


@dataclass(frozen=True, slots=True)
class Picture:
    """An upright photo, as a file, turned clockwise by `rotation`."""

    image: bytes
    rotation: int


class Counting:
    """A session that adds up the area of the pictures it is given."""

    def __init__(self, session: Any, areas: list[int]) -> None:
        self._session = session
        self._areas = areas

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, outputs: Any, inputs: Mapping[str, Any], *rest: Any) -> Any:
        _, _, height, width = next(iter(inputs.values())).shape
        self._areas.append(height * width)
        return self._session.run(outputs, inputs, *rest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="a folder of upright photos with faces")
    parser.add_argument("--pack", required=True)
    parser.add_argument("--models-dir", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    areas: list[int] = []
    encoder = InsightFacePackEncoder(
        find_pack(options.models_dir, options.pack),
        limits=ImageLimits(max_bytes=2**30, max_pixels=10**9),
        open_session=lambda *arguments: Counting(open_session(*arguments), areas),
    )
    rows = []
    pictures = [picture for path in sorted(options.photos.rglob("*")) for picture in copies(path)]
    for rotation in ROTATIONS:
        turned = [picture for picture in pictures if picture.rotation == rotation]
        rows.append(row(encoder, areas, rotation, turned, options.rounds))
    print(table(["turned by", "photos", "told", "detector's pixels", "ms in detect", "ms in all"], rows))


def copies(path: Path) -> list[Picture]:
    """Return the photo in each size, turned each way; none for what is no photo."""
    if path.suffix.lower() not in (".jpg", ".jpeg", ".png"):
        return []
    pixels = decode(path.read_bytes(), ImageLimits(max_bytes=2**30, max_pixels=10**9)).pixels
    pictures = []
    for longest_px in LONGEST_PX:
        share = longest_px / max(pixels.shape[:2])
        scaled: Any = cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        for rotation in ROTATIONS:
            file = cv2.imencode(".jpg", rotated(np.asarray(scaled, np.uint8), rotation))[1]
            pictures.append(Picture(bytes(file), rotation))
    return pictures


def row(
    encoder: InsightFacePackEncoder, areas: list[int], rotation: int, pictures: list[Picture], rounds: int
) -> list[str]:
    """Return how many of `pictures` are told right, and what that costs as a multiple of not asking."""
    asking = AnalyzeOptions(embed=False)
    pixels = {True: 0.0, False: 0.0}
    detect_ms = {True: 0.0, False: 0.0}
    total_ms = {True: 0.0, False: 0.0}
    right = 0
    for picture in pictures:
        times: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
        for _ in range(rounds):
            for turns in (False, True):
                areas.clear()
                started = time.perf_counter()
                analysis = encoder.analyze(picture.image, replace(asking, turns=turns))
                times[turns].append((analysis.detect_ms, (time.perf_counter() - started) * 1e3))
                if len(times[turns]) == 1:
                    pixels[turns] += sum(areas)
        for turns, each in times.items():
            detect_ms[turns] += min(detect for detect, _ in each)
            total_ms[turns] += min(total for _, total in each)
        right += analysis.rotation == back(picture.rotation)  # type: ignore[arg-type]
    ratios = [f"{cost[True] / cost[False]:.2f}" for cost in (pixels, detect_ms, total_ms)]
    return [str(rotation), str(len(pictures)), str(right), *ratios]


if __name__ == "__main__":
    main()
