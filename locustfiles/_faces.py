"""The pictures of a load test: people to enrol, and pictures of them that are not the enrolled ones.

People come from a folder with a sub-folder for each, or from the photos that packages of the service ship. Every
picture is made once, before the run: a generator that encodes JPEGs while it measures would measure itself.
"""

import importlib.util
import io
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
PROBES = 96  # pictures of single persons that a process holds; about 5 MB
GROUPS = 24
GROUP_SIZES = (2, 3, 4)  # persons in a group photo
SIZES = (0.7, 1.0)  # of the longest side that is asked for
JPEG_QUALITIES = (70, 95)
ENROLLED_JPEG_QUALITY = 95
ID = re.compile(r"[^A-Za-z0-9._-]+")  # what the service's ids may not hold
ID_LENGTH = 48  # the service takes 64; the enrol journey appends to it

# The faces of the group photo that InsightFace ships, with room around them: left, top, right, bottom in its pixels.
GROUP_PHOTO_CUTS = (
    (0, 179, 237, 480),
    (209, 70, 433, 345),
    (399, 177, 638, 504),
    (684, 259, 908, 563),
    (843, 0, 1074, 294),
    (1072, 196, 1280, 478),
)


class NoPhotos(Exception):
    """There is nobody to enrol."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo on disk, or the part of it that shows one person: left, top, right, bottom in pixels."""

    path: Path
    cut: tuple[int, int, int, int] | None = None

    def picture(self, longest_px: int) -> Image.Image:
        """Return the photo upright, RGB, its longest side `longest_px`."""
        with Image.open(self.path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        return scaled(upright if self.cut is None else upright.crop(self.cut), longest_px)


@dataclass(frozen=True, slots=True)
class Probe:
    """A JPEG and the ids of the persons in it."""

    jpeg: bytes
    persons: frozenset[str]

    @property
    def person(self) -> str:
        """Return who is in a picture of one person."""
        (person,) = self.persons
        return person


@dataclass(frozen=True, slots=True)
class Album:
    """What a process sends: pictures of single persons, group photos, and everybody's id."""

    people: tuple[str, ...]
    probes: tuple[Probe, ...]
    groups: tuple[Probe, ...]


def find_people(folder: Path | None) -> dict[str, tuple[Photo, ...]]:
    """Return the photos of each person by id: from `folder`, or those that the installed packages ship.

    Raises NoPhotos where there are fewer than two persons.
    """
    people = bundled_people() if folder is None else people_of(folder)
    if len(people) < 2:
        source = f"{folder} has" if folder else "the packages installed here ship"
        raise NoPhotos(
            f"Expected photos of two persons or more; {source} {len(people)}. FACESERVE_PHOTOS names a folder with a "
            "sub-folder of photos for each person."
        )
    return people


def people_of(folder: Path) -> dict[str, tuple[Photo, ...]]:
    """Return the photos in each sub-folder of `folder`, by the sub-folder's name as an id."""
    if not folder.is_dir():
        raise NoPhotos(f"{folder} is not a folder.")
    people = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        photos = tuple(Photo(path) for path in sorted(place.iterdir()) if path.suffix.lower() in SUFFIXES)
        if photos:
            people[ID.sub("-", place.name)[:ID_LENGTH]] = photos
    return people


def bundled_people() -> dict[str, tuple[Photo, ...]]:
    """Return scikit-image's astronaut and the six people of InsightFace's group photo, where these are installed."""
    people: dict[str, tuple[Photo, ...]] = {}
    astronaut = _file_of("skimage", "data/astronaut.png")
    if astronaut is not None:
        people["astronaut"] = (Photo(astronaut),)
    group = _file_of("insightface", "data/images/t1.jpg")
    if group is not None:
        people |= {f"group-{number}": (Photo(group, cut),) for number, cut in enumerate(GROUP_PHOTO_CUTS, start=1)}
    return people


def enrolled_jpeg(photos: Sequence[Photo], longest_px: int) -> bytes:
    """Return the picture that a person is enrolled from: the first."""
    return jpeg(photos[0].picture(longest_px), ENROLLED_JPEG_QUALITY)


def make_album(
    people: Mapping[str, tuple[Photo, ...]], longest_px: int, rng: random.Random, rest: Callable[[], None]
) -> Album:
    """Return pictures of `people` in random sizes and JPEG qualities; `rest` is called after each.

    A person is shown by the photos that were not enrolled, where there are such; else by the enrolled one, changed.
    """
    shown = sorted(people) if len(people) <= PROBES else rng.sample(sorted(people), PROBES)
    pictures = {}
    for person in shown:
        pictures[person] = [photo.picture(longest_px) for photo in people[person][1:] or people[person]]
        rest()
    probes = []
    for number in range(PROBES):
        person = shown[number % len(shown)]
        probes.append(Probe(variant(rng.choice(pictures[person]), longest_px, rng), frozenset([person])))
        rest()
    groups = []
    for number in range(GROUPS):
        size = min(GROUP_SIZES[number % len(GROUP_SIZES)], len(shown))
        persons = rng.sample(shown, size)
        picture = side_by_side([rng.choice(pictures[person]) for person in persons])
        groups.append(Probe(variant(picture, 2 * longest_px, rng), frozenset(persons)))
        rest()
    return Album(tuple(sorted(people)), tuple(probes), tuple(groups))


def variant(picture: Image.Image, longest_px: int, rng: random.Random) -> bytes:
    """Return `picture` as a JPEG of a random size up to `longest_px` and a random quality."""
    return jpeg(scaled(picture, round(longest_px * rng.uniform(*SIZES))), rng.randint(*JPEG_QUALITIES))


def side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return one picture of all, next to each other at the same height."""
    height = min(picture.height for picture in pictures)
    row = [picture.resize((max(1, round(picture.width * height / picture.height)), height)) for picture in pictures]
    joined = Image.new("RGB", (sum(picture.width for picture in row), height))
    left = 0
    for picture in row:
        joined.paste(picture, (left, 0))
        left += picture.width
    return joined


def scaled(picture: Image.Image, longest_px: int) -> Image.Image:
    """Return `picture` with a longest side of `longest_px`."""
    factor = longest_px / max(picture.size)
    return picture.resize((max(1, round(picture.width * factor)), max(1, round(picture.height * factor))))


def jpeg(picture: Image.Image, quality: int) -> bytes:
    """Return `picture` as a JPEG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _file_of(package: str, name: str) -> Path | None:
    found = importlib.util.find_spec(package)  # finds it without importing it
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / name
    return path if path.is_file() else None
