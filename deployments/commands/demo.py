"""`faceserve demo`: enrols the people of one photo, then has them recognised in a smaller, harder compressed copy."""

import contextlib
import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps
from rich.console import Console
from rich.progress import track
from rich.table import Table

from deployments.commands.errors import CommandFailed
from faceserve_client import Client, CollectionNotFound

COLLECTION = "faceserve-demo"
MARGIN = 0.6  # of the face's size, on each side: what a portrait shows around a face
COPY_SCALE = 0.75  # the copy is not the photo that was enrolled from, pixel by pixel
COPY_JPEG_QUALITY = 75
COLOURS = {"match": "#2e9e44", "uncertain": "#d08700", "no_match": "#c0392b"}


class DemoFailed(CommandFailed):
    """The demonstration could not be shown."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A person of the demonstration, and where its face is as fractions of the photo: left, top, width, height."""

    id: str
    place: tuple[float, float, float, float]


def demo(url: str, token: str, photo: Path | None, out: Path, console: Console) -> None:
    """Enrol, identify, print a table and write an annotated picture to `out`. Raises DemoFailed."""
    picture = load_photo(photo or bundled_photo())
    with Client(url, token) as client:
        models = client.models()
        console.print(f"Models: {models.models[0].model_id} on {models.execution_provider}")
        with contextlib.suppress(CollectionNotFound):
            client.delete_collection(COLLECTION, force=True)
        client.create_collection(COLLECTION, "Demonstration", detection={"single_face_selection": "center_largest"})
        people = enroll_everyone(client, picture, console)
        copy = picture.resize((round(picture.width * COPY_SCALE), round(picture.height * COPY_SCALE)))
        answer = client.identify_faces(COLLECTION, jpeg(copy, COPY_JPEG_QUALITY))
    faces = [face.model_dump() for face in answer.faces]
    recognised = print_table(faces, people, console)
    annotate(copy, faces).save(out, quality=90)
    console.print(
        f"Recognised {recognised} of {len(people)} enrolled people in {answer.processing_ms:.0f} ms, "
        f"threshold {answer.threshold:.2f}. Picture: {out}",
        soft_wrap=True,
    )


def bundled_photo() -> Path:
    """Return a group photo that the installed InsightFace package ships."""
    package = importlib.util.find_spec("insightface")  # finds it without importing it
    if package is None or not package.submodule_search_locations:
        raise DemoFailed("The installed InsightFace ships no photo; name one: `faceserve demo PHOTO`.")
    path = Path(package.submodule_search_locations[0]) / "data" / "images" / "t1.jpg"
    if not path.is_file():
        raise DemoFailed("The installed InsightFace ships no photo; name one: `faceserve demo PHOTO`.")
    return path


def load_photo(path: Path) -> Image.Image:
    """Return the photo at `path`, upright, RGB. Raises DemoFailed."""
    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except OSError as error:
        raise DemoFailed(f"{path} is not a photo that can be read.") from error


def enroll_everyone(client: Client, picture: Image.Image, console: Console) -> list[Enrolled]:
    """Enrol each face of `picture` as a person of its own, from a portrait cut out of it. Raises DemoFailed."""
    found = client.detect(jpeg(picture, 95)).faces
    if not found:
        raise DemoFailed("There is no face in the photo.")
    people = []
    for number, face in enumerate(track(found, "Enrolling", console=console, transient=True), start=1):
        box = face.bbox.normalized
        place = (box.left, box.top, box.width, box.height)
        portrait = jpeg(cut_portrait(picture, place), 95)
        client.create_person(COLLECTION, [portrait], id=f"person-{number}", name=f"Person {number}")
        people.append(Enrolled(f"person-{number}", place))
    console.print(f"Enrolled {len(people)} people from one photo")
    return people


def cut_portrait(picture: Image.Image, place: tuple[float, float, float, float]) -> Image.Image:
    """Return the part of `picture` around the face at `place`."""
    left, top, width, height = place
    return picture.crop(
        (
            round(max(0.0, left - MARGIN * width) * picture.width),
            round(max(0.0, top - MARGIN * height) * picture.height),
            round(min(1.0, left + (1 + MARGIN) * width) * picture.width),
            round(min(1.0, top + (1 + MARGIN) * height) * picture.height),
        )
    )


def print_table(faces: list[dict[str, Any]], people: list[Enrolled], console: Console) -> int:
    """Print who was found where, and return how many of `people` were recognised in their own place."""
    table = Table("face", "decision", "person", "similarity", "margin", "right?")
    recognised = 0
    for number, face in enumerate(faces, start=1):
        expected = person_at(face["face"]["bbox"]["normalized"], people)
        named = face["person"]["id"] if face["person"] else None
        right = face["decision"] == "match" and named == expected
        recognised += right
        table.add_row(
            str(number),
            face["decision"],
            named or "",
            "" if face["similarity"] is None else f"{face['similarity']:.3f}",
            "" if face["margin"] is None else f"{face['margin']:.3f}",
            "yes" if right else f"no, is {expected or 'nobody'}",
        )
    console.print(table)
    return recognised


def person_at(box: dict[str, float], people: list[Enrolled]) -> str | None:
    """Return who was enrolled from the place where the centre of `box` is."""
    x, y = box["left"] + box["width"] / 2, box["top"] + box["height"] / 2
    for person in people:
        left, top, width, height = person.place
        if left <= x <= left + width and top <= y <= top + height:
            return person.id
    return None


def annotate(picture: Image.Image, faces: list[dict[str, Any]]) -> Image.Image:
    """Return a copy of `picture` with each face framed and named."""
    annotated = picture.copy()
    draw = ImageDraw.Draw(annotated)
    font = ImageFont.load_default(size=max(14, picture.height // 40))
    for face in faces:
        box = face["face"]["bbox"]["pixels"]
        colour = COLOURS[face["decision"]]
        corner = (box["x"], box["y"])
        draw.rectangle((*corner, box["x"] + box["width"], box["y"] + box["height"]), outline=colour, width=3)
        text = f"{face['person']['name']} {face['similarity']:.2f}" if face["person"] else "unknown"
        background = draw.textbbox(corner, text, font=font, anchor="lb")
        draw.rectangle(background, fill=colour)
        draw.text(corner, text, fill="white", font=font, anchor="lb")
    return annotated


def jpeg(picture: Image.Image, quality: int) -> bytes:
    """Return `picture` as a JPEG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
