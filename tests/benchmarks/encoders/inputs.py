"""Whether a detector does better at two input sizes: photos as they are, and close-ups cut out of them.

A close-up is the largest face with so much of its length around it, shrunk or enlarged to 800 px. Photos of a person
lie in a folder that is named after them. What counts: faces missed, similarities of the same person's photos and of
others', and how near the embedding of a close-up comes to that of its photo.
"""

import argparse
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from encoders.images.decoding import encode_jpeg
from encoders.loading import load_encoder
from encoders.types import AnalyzeOptions, Box, Encoder
from tests.benchmarks.results import publish, table

InputSizes = tuple[tuple[int, int], ...]
Embedding = npt.NDArray[np.float32]

INPUTS: Mapping[str, InputSizes] = MappingProxyType(
    {
        " + ".join(map(str, sides)): tuple((side, side) for side in sides)
        for sides in ((640,), (640, 320), (640, 224), (512, 96), (480, 192), (320,))
    }
)
SURROUNDINGS = (0.0, 0.1, 0.25, 0.6)  # of the face's longer side, on each side
CLOSE_UP_PX = 800


@dataclass(frozen=True, slots=True)
class Picture:
    """A file of one person; `photo`: which one it was cut from, itself among them."""

    person: str
    photo: Path
    image: bytes
    is_close_up: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pack made of all pictures at some input sizes. Cosines are least or greatest of their kind."""

    missed: int
    genuine_mean: float
    genuine_least: float
    impostor_greatest: float
    to_photo_mean: float
    to_photo_least: float
    detect_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packs", nargs="+")
    parser.add_argument("--models-dir", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True, help="a folder with a folder of photos for each person")
    parser.add_argument("--write", metavar="NAME", help="keep the result as results/NAME.json and in the README")
    options = parser.parse_args()
    rows, measured = [], {}
    for pack in options.packs:
        encoder = load_encoder(pack, options.models_dir)
        pictures = draw(encoder, sorted(options.photos.glob("*/*.jpg")))
        for label, sizes in INPUTS.items():
            outcome = look(encoder, pictures, sizes)
            measured[f"{pack}, {label}"] = outcome
            rows.append(
                [
                    *(pack, label, f"{outcome.missed} of {len(pictures)}"),
                    *(f"{outcome.genuine_mean:.3f}, {outcome.genuine_least:.3f}", f"{outcome.impostor_greatest:.3f}"),
                    *(f"{outcome.to_photo_mean:.3f}, {outcome.to_photo_least:.3f}", f"{outcome.detect_ms:.1f}"),
                ]
            )
    columns = ["pack", "inputs", "missed", "same person: mean, least", "others: greatest"]
    markdown = table([*columns, "close-up to its photo: mean, least", "detect, ms"], rows)
    print(markdown)
    if options.write:
        command = f"uv run faceserve bench inputs {' '.join(options.packs)} --models-dir DIR --photos PHOTOS"
        publish(options.write, command, {"outcomes": {name: asdict(one) for name, one in measured.items()}}, markdown)


def draw(encoder: Encoder, photos: Sequence[Path]) -> list[Picture]:
    """Return the photos that show a face, with close-ups of it."""
    pictures = []
    for photo in photos:
        image = photo.read_bytes()
        faces = encoder.analyze(image, AnalyzeOptions("largest", embed=False)).faces
        if not faces:
            continue
        pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
        pictures.append(Picture(photo.parent.name, photo, image, is_close_up=False))
        for share in SURROUNDINGS:
            pictures.append(Picture(photo.parent.name, photo, close_up(pixels, faces[0].box, share), is_close_up=True))
    return pictures


def close_up(pixels: npt.NDArray[np.uint8], box: Box, share: float) -> bytes:
    """Return the part of BGR `pixels` around `box` as a JPEG whose longer side has CLOSE_UP_PX."""
    margin = share * max(box.width, box.height)
    top, left = max(0, int(box.top - margin)), max(0, int(box.left - margin))
    part = pixels[top : int(box.bottom + margin), left : int(box.right + margin)]
    scale = CLOSE_UP_PX / max(part.shape[:2])
    resized = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return encode_jpeg(resized)


def look(encoder: Encoder, pictures: Sequence[Picture], sizes: InputSizes) -> Outcome:
    """Return what becomes of `pictures`: pairs are of different photos."""
    embeddings: dict[int, Embedding] = {}
    detect_ms = []
    options = AnalyzeOptions("largest", counts_faces=True, input_sizes=sizes)
    for index, picture in enumerate(pictures):
        analysis = encoder.analyze(picture.image, options)
        detect_ms.append(analysis.detect_ms)
        if analysis.faces and analysis.faces[0].embedding is not None:
            embeddings[index] = analysis.faces[0].embedding
    genuine, impostor, to_photo = [], [], []
    for one, other in itertools.combinations(embeddings, 2):
        first, second = pictures[one], pictures[other]
        cosine = float(embeddings[one] @ embeddings[other])
        if first.photo == second.photo:
            if not (first.is_close_up and second.is_close_up):
                to_photo.append(cosine)
        else:
            (genuine if first.person == second.person else impostor).append(cosine)
    return Outcome(
        missed=len(pictures) - len(embeddings),
        genuine_mean=float(np.mean(genuine)),
        genuine_least=min(genuine),
        impostor_greatest=max(impostor),
        to_photo_mean=float(np.mean(to_photo)),
        to_photo_least=min(to_photo),
        detect_ms=float(np.median(detect_ms)),
    )


if __name__ == "__main__":
    main()
