"""Image files of every kind, through HTTP: each is looked at or refused with a reason; see also the encoders' tests."""

import io
import struct
import zlib
from collections.abc import Callable

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.deployments.conftest import LIMITS
from tests.deployments.pictures import encoded, landscape, portrait
from tests.deployments.service import code_of, multipart, raw

UPRIGHT, ROTATED = 1, 6  # of EXIF: the first row is at the top; at the right
SIDEWAYS = Image.Transpose.ROTATE_90


def with_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def sixteen_bits() -> Image.Image:
    return Image.fromarray(np.asarray(portrait().convert("L")).astype(np.uint16) * 257)


def transparent() -> Image.Image:
    image = portrait().convert("RGBA")
    image.putalpha(200)
    return image


def two_frames(format: str) -> bytes:
    return encoded(portrait(), format, save_all=True, append_images=[landscape(*portrait().size)], duration=100)


SEEN: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: encoded(portrait()),
    "progressive JPEG": lambda: encoded(portrait(), progressive=True),
    "grey JPEG": lambda: encoded(portrait().convert("L")),
    "CMYK JPEG": lambda: encoded(portrait().convert("CMYK")),
    "rotated JPEG": lambda: encoded(portrait().transpose(SIDEWAYS), exif=with_orientation(ROTATED)),
    "PNG": lambda: encoded(portrait(), "PNG"),
    "16-bit PNG": lambda: encoded(sixteen_bits(), "PNG"),
    "palette PNG": lambda: encoded(portrait().quantize(128), "PNG"),
    "transparent PNG": lambda: encoded(transparent(), "PNG"),
    "grey PNG with alpha": lambda: encoded(portrait().convert("LA"), "PNG"),
    "WebP": lambda: encoded(portrait(), "WEBP"),
    "transparent WebP": lambda: encoded(transparent(), "WEBP"),
    "animated WebP": lambda: two_frames("WEBP"),
    "BMP": lambda: encoded(portrait(), "BMP"),
    "GIF": lambda: encoded(portrait(), "GIF"),
    "animated GIF": lambda: two_frames("GIF"),
}


@pytest.mark.parametrize("image", SEEN.values(), ids=SEEN.keys())
async def test_a_face_is_seen_in_every_kind_of_image(photo_api: httpx.AsyncClient, image: Callable[[], bytes]) -> None:
    response = await photo_api.post("/v1/detect", **multipart("image", image()))

    assert response.status_code == 200
    assert len(response.json()["faces"]) == 1


async def test_boxes_are_of_the_upright_image(photo_api: httpx.AsyncClient) -> None:
    upright = encoded(portrait(), quality=100)
    rotated = encoded(portrait().transpose(SIDEWAYS), quality=100, exif=with_orientation(ROTATED))

    expected = (await photo_api.post("/v1/detect", **multipart("image", upright))).json()["faces"][0]["bbox"]
    found = (await photo_api.post("/v1/detect", **multipart("image", rotated))).json()["faces"][0]["bbox"]

    for edge in ("x", "y", "width", "height"):
        assert found["pixels"][edge] == pytest.approx(expected["pixels"][edge], abs=8)


def bomb() -> bytes:
    """Return a PNG of a few hundred bytes that says it has 2.5 billion pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


def noise() -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (900, 900, 3), np.uint8)
    return encoded(Image.fromarray(pixels), "BMP")


def tiff() -> bytes:
    return encoded(landscape(), "TIFF")


REFUSED: dict[str, tuple[Callable[[], bytes], tuple[int, str]]] = {
    "nothing": (lambda: b"", (422, "invalid_image")),
    "one byte": (lambda: b"\xff", (422, "unsupported_image_format")),
    "garbage": (lambda: bytes(range(256)) * 10, (422, "unsupported_image_format")),
    "text": (lambda: b"this is not an image", (422, "unsupported_image_format")),
    "HTML": (lambda: b"<!doctype html><html></html>", (422, "unsupported_image_format")),
    "SVG": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', (422, "unsupported_image_format")),
    "PDF": (lambda: b"%PDF-1.7\n", (422, "unsupported_image_format")),
    "TIFF": (tiff, (422, "unsupported_image_format")),
    "the start of a JPEG": (lambda: encoded(portrait())[:20], (422, "invalid_image")),
    "half a PNG": (lambda: encoded(portrait(), "PNG")[:2000], (422, "invalid_image")),
    "half a WebP": (lambda: encoded(portrait(), "WEBP")[:500], (422, "invalid_image")),
    "half a GIF": (lambda: encoded(portrait(), "GIF")[:200], (422, "invalid_image")),
    "half a BMP": (lambda: encoded(portrait(), "BMP")[:500], (422, "invalid_image")),
    "a JPEG header and garbage": (lambda: b"\xff\xd8\xff\xe0" + bytes(500), (422, "invalid_image")),
    "a PNG without size": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(50), (422, "invalid_image")),
    "a bomb": (bomb, (413, "image_too_large")),
    "many pixels": (lambda: encoded(Image.new("L", (2000, 1001)), "PNG"), (413, "image_too_large")),
    "many bytes": (noise, (413, "image_too_large")),
}


@pytest.mark.parametrize(("image", "expected"), REFUSED.values(), ids=REFUSED.keys())
async def test_an_image_that_cannot_be_used_is_refused(
    photo_api: httpx.AsyncClient, image: Callable[[], bytes], expected: tuple[int, str]
) -> None:
    response = await photo_api.post("/v1/detect", **multipart("image", image()))

    assert code_of(response) == expected


async def test_what_is_accepted_and_what_came_is_told(photo_api: httpx.AsyncClient) -> None:
    response = await photo_api.post("/v1/detect", **multipart("image", tiff()))

    details = response.json()["error"]["details"]
    assert details["found"] == "TIFF"
    assert "JPEG" in details["accepted"]


async def test_the_limit_and_what_came_is_told(photo_api: httpx.AsyncClient) -> None:
    pixels = await photo_api.post("/v1/detect", **multipart("image", bomb()))
    size = await photo_api.post("/v1/detect", **multipart("image", noise()))

    assert pixels.json()["error"]["details"] == {
        "found": 2_500_000_000,
        "limit": LIMITS.max_pixels,
        "unit": "pixels",
    }
    assert size.json()["error"]["details"] == {"found": len(noise()), "limit": LIMITS.max_bytes, "unit": "bytes"}


async def test_the_type_that_a_client_claims_does_not_matter(photo_api: httpx.AsyncClient) -> None:
    image = encoded(portrait(), "PNG")

    as_part = await photo_api.post("/v1/detect", files={"image": ("face.jpg", image, "text/plain")})
    as_body = await photo_api.post("/v1/detect", **raw(image))

    assert len(as_part.json()["faces"]) == len(as_body.json()["faces"]) == 1


async def test_a_jpeg_that_is_cut_off_is_looked_at_or_refused(photo_api: httpx.AsyncClient) -> None:
    whole = encoded(portrait())

    for length in range(100, len(whole), len(whole) // 10):
        response = await photo_api.post("/v1/detect", **multipart("image", whole[:length]))

        assert response.status_code == 200 or code_of(response) == (422, "invalid_image")


async def test_the_reason_for_each_image_is_told_at_enrolment(photo_api: httpx.AsyncClient) -> None:
    images = [bomb(), tiff(), b"", encoded(landscape()), encoded(portrait())]

    response = await photo_api.post("/v1/collections/staff/persons", **multipart("images", *images))

    assert response.status_code == 201
    assert [image["reason"] for image in response.json()["rejected_images"]] == [
        "image_too_large",
        "unsupported_image_format",
        "invalid_image",
        "face_not_found",
    ]


async def test_a_picture_may_be_a_single_pixel(photo_api: httpx.AsyncClient) -> None:
    file = io.BytesIO()
    Image.new("1", (1, 1)).save(file, "PNG")

    response = await photo_api.post("/v1/detect", **multipart("image", file.getvalue()))

    assert response.json()["faces"] == []
