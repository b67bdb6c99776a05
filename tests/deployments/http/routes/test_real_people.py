"""Real people in photos that packages carry, from enrolment to identification, over HTTP with the pack `opencv`."""

import io
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tests.deployments import pictures
from tests.deployments.service import enroll, multipart

IDENTIFY = "/v1/collections/staff/identify"
CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda photo: photo,
    "mirrored": ImageOps.mirror,
    "darker": lambda photo: ImageEnhance.Brightness(photo).enhance(0.5),
    "half as large": lambda photo: photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS),
}


@pytest.fixture
async def six(photo_api: httpx.AsyncClient, group_photo: bytes) -> Image.Image:
    """A photo of six persons who were each enrolled from a part of it, named after their places from the left."""
    photo = Image.open(io.BytesIO(group_photo)).convert("RGB")
    detected = await photo_api.post("/v1/detect", **multipart("image", group_photo))
    for place, face in enumerate(sorted(detected.json()["faces"], key=left_of)):
        box = face["bbox"]["pixels"]
        margin = box["width"] // 3
        part = photo.crop(
            (
                *(box["x"] - margin, box["y"] - margin),
                *(box["x"] + box["width"] + margin, box["y"] + box["height"] + margin),
            )
        )
        await enroll(photo_api, pictures.encoded(part, quality=90), id=f"place-{place}")
    return photo


def left_of(face: dict[str, Any]) -> int:
    return int(face["bbox"]["pixels"]["x"])


@pytest.mark.parametrize("change", CHANGES)
async def test_everybody_in_a_group_photo_is_identified(
    photo_api: httpx.AsyncClient, six: Image.Image, change: str
) -> None:
    image = pictures.encoded(CHANGES[change](six), quality=85)

    response = await photo_api.post(IDENTIFY, **multipart("image", image))

    faces = sorted(response.json()["faces"], key=lambda identified: left_of(identified["face"]))
    places = [f"place-{place}" for place in range(6)]
    assert [face["decision"] for face in faces] == ["match"] * 6
    assert [face["person"]["id"] for face in faces] == (places[::-1] if change == "mirrored" else places)


async def test_somebody_who_is_not_enrolled_is_nobody(photo_api: httpx.AsyncClient, six: Image.Image) -> None:
    image = pictures.encoded(pictures.astronaut(), quality=90)

    response = await photo_api.post(IDENTIFY, **multipart("image", image))

    (face,) = response.json()["faces"]
    assert face["decision"] == "no_match"
