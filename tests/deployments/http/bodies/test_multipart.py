"""Multipart bodies that are broken, overlong or strangely named."""

import httpx
import pytest

from tests.deployments.colours import drawing
from tests.deployments.service import PART, code_of, message_of, multipart

STAFF = "/v1/collections/staff"
PERSONS = f"{STAFF}/persons"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", PART + b"x\r\n--x--\r\n"),
        ("multipart/form-data; boundary=", PART + b"x\r\n--x--\r\n"),
        ("multipart/form-data; boundary=y", PART + b"x\r\n--x--\r\n"),
        ("multipart/form-data; boundary=" + "x" * 300, PART + b"x\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x; charset=utf-7", PART + b"x\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x; charset=punycode", PART + b"x\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x; charset=undefined", PART + b"x\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"garbage"),
        ("multipart/form-data; boundary=x", PART + b"cut off"),
        ("multipart/form-data; boundary=x", PART + drawing(0) + b"\r\n" + PART + b"cut off"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: attachment\r\n\r\nx\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nx\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A" * 20_000 + b": b\r\n\r\nx\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nbad header\r\n\r\nx\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", (PART.replace(b"image", b"") + b"x\r\n") + b"--x--\r\n"),
        ("multipart/form-data; boundary=x", PART.replace(b'"image"', b'"' + b"\xff" * 50 + b'"') + b"x\r\n--x--\r\n"),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_a_broken_multipart_body_is_refused(api: httpx.AsyncClient, kind: str, body: bytes) -> None:
    response = await api.post("/v1/detect", content=body, headers={"content-type": kind})

    assert code_of(response) == (400, "invalid_request")


async def test_a_multipart_body_without_a_boundary_is_explained(api: httpx.AsyncClient) -> None:
    response = await api.post("/v1/detect", content=b"x", headers={"content-type": "multipart/form-data"})

    assert "boundary" in message_of(response)


async def test_too_many_form_fields_are_refused(api: httpx.AsyncClient) -> None:
    options = {f"field-{number}": "x" for number in range(100)}

    response = await api.post("/v1/detect", **multipart("image", drawing(0), **options))

    assert code_of(response) == (400, "invalid_request")


async def test_a_form_field_over_its_limit_is_refused(api: httpx.AsyncClient) -> None:
    response = await api.post(PERSONS, **multipart("images", drawing(0), metadata="x" * (4 * 2**20 + 1)))

    assert code_of(response) == (400, "invalid_request")


@pytest.mark.parametrize("filename", ["", "../../etc/passwd", "a\x00b.jpg", "x" * 2000, "фото.jpg", '"; name="id'])
async def test_a_file_may_have_any_name(api: httpx.AsyncClient, filename: str) -> None:
    files = [("images", (filename or "upload", drawing(0))), ("images", (filename or "upload", drawing()))]

    response = await api.post(PERSONS, files=files)

    assert response.status_code == 201
    assert len(response.json()["rejected_images"][0]["filename"]) <= 255


@pytest.mark.parametrize(
    "head",
    [
        b'name="image"\r\nContent-Type: image/png',
        b'name="image"\r\nContent-Type: application/octet-stream',
        b"name=image\r\ncontent-type: IMAGE/JPEG; q=1",
        b"name=\"image\"; filename*=UTF-8''%D1%84.png",
        b"name=\"image\"; filename*=UTF-8''%D1%84.png\r\nContent-Type: text/plain",
    ],
)
async def test_a_part_without_a_file_name_is_a_file_where_it_can_be_nothing_else(
    api: httpx.AsyncClient, head: bytes
) -> None:
    body = b"--x\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + drawing(0, 90) + b"\r\n--x--\r\n"

    response = await api.post("/v1/detect", content=body, headers={"content-type": "multipart/form-data; boundary=x"})

    assert response.status_code == 200, response.text
    assert len(response.json()["faces"]) == 2


@pytest.mark.parametrize(
    ("field", "size", "limit"),
    [("metadata", 64 * 2**10 + 1, "65,536"), ("name", 2**20, "65,536"), ("external_embeddings", 300_000, "26,200")],
)
async def test_a_long_text_field_is_refused_with_its_bound(
    api: httpx.AsyncClient, field: str, size: int, limit: str
) -> None:
    response = await api.post(PERSONS, **multipart("images", drawing(0), **{field: "x" * size}))

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response) == (f"Expected the field '{field}' to have at most {limit} characters; found {size:,}.")
