"""Request bodies with their options: multipart, the raw image, base64 in JSON; and what is none of them."""

import base64
from typing import Any

import httpx
import pytest

from tests.deployments.colours import drawing
from tests.deployments.service import base64_json, code_of, enroll, message_of, multipart, raw

STAFF = "/v1/collections/staff"
PERSONS = f"{STAFF}/persons"
IMAGE_OPERATIONS = ["/v1/detect", "/v1/embeddings", f"{STAFF}/search", f"{STAFF}/identify", f"{PERSONS}/ada/verify"]

ENROLMENTS = [PERSONS, f"{PERSONS}/ada/faces"]


def without(body: Any, *names: str) -> Any:
    """Return a response's body without what differs each time."""
    if isinstance(body, dict):
        left_out = {"request_id", "processing_ms", "created_at", "updated_at", *names}
        return {key: without(value, *names) for key, value in body.items() if key not in left_out}
    return [without(item, *names) for item in body] if isinstance(body, list) else body


@pytest.mark.parametrize("path", IMAGE_OPERATIONS)
async def test_an_image_gives_the_same_answer_in_every_kind_of_body(
    photo_api: httpx.AsyncClient, portrait: bytes, path: str
) -> None:
    await enroll(photo_api, portrait, id="ada")

    as_multipart = await photo_api.post(path, **multipart("image", portrait))
    as_raw = await photo_api.post(path, **raw(portrait))
    as_bytes = await photo_api.post(path, content=portrait, headers={"content-type": "application/octet-stream"})
    as_json = await photo_api.post(path, **base64_json("image", portrait))

    assert as_multipart.status_code == 200
    assert without(as_raw.json()) == without(as_multipart.json())
    assert without(as_bytes.json()) == without(as_multipart.json())
    assert without(as_json.json()) == without(as_multipart.json())


@pytest.mark.parametrize("path", ENROLMENTS)
async def test_an_enrolment_is_the_same_in_every_kind_of_body(
    photo_api: httpx.AsyncClient, portrait: bytes, path: str
) -> None:
    await enroll(photo_api, portrait, id="ada")
    ids = ("id", "person_id", "filename")

    as_multipart = await photo_api.post(path, **multipart("images", portrait, review_mode="standard"))
    as_raw = await photo_api.post(path, **raw(portrait, review_mode="standard"))
    as_json = await photo_api.post(path, **base64_json("images", portrait, many=True, review_mode="standard"))
    as_text = await photo_api.post(path, **base64_json("images", portrait, review_mode="standard"))

    assert as_multipart.status_code == 201
    assert without(as_raw.json(), *ids) == without(as_multipart.json(), *ids)
    assert without(as_json.json(), *ids) == without(as_multipart.json(), *ids)
    assert without(as_text.json(), *ids) == without(as_multipart.json(), *ids)


async def test_a_comparison_is_the_same_in_multipart_and_json(photo_api: httpx.AsyncClient, portrait: bytes) -> None:
    text = base64.b64encode(portrait).decode()

    as_multipart = await photo_api.post("/v1/compare", files={"source": portrait, "target": portrait})
    as_json = await photo_api.post("/v1/compare", json={"source": text, "target": text})

    assert as_multipart.status_code == 200
    assert without(as_json.json()) == without(as_multipart.json())


async def test_a_comparison_is_no_raw_body(api: httpx.AsyncClient) -> None:
    response = await api.post("/v1/compare", **raw(drawing(0)))

    assert code_of(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["multipart", "raw", "json", "json and query", "multipart and query"])
async def test_options_are_taken_in_every_kind_of_body(api: httpx.AsyncClient, kind: str) -> None:
    image = drawing(0, 90, 180)
    arguments = {
        "multipart": multipart("image", image, max_faces=2),
        "raw": raw(image, max_faces=2),
        "json": base64_json("image", image, max_faces=2),
        "json and query": base64_json("image", image) | {"params": {"max_faces": 2}},
        "multipart and query": multipart("image", image) | {"params": {"max_faces": 2}},
    }[kind]

    response = await api.post("/v1/detect", **arguments)

    assert len(response.json()["faces"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        multipart("image", drawing(0), max_faces=2) | {"params": {"max_faces": 3}},
        base64_json("image", drawing(0), max_faces=2) | {"params": {"max_faces": 3}},
        raw(drawing(0)) | {"params": [("max_faces", 2), ("max_faces", 3)]},
        {"files": [("image", drawing(0)), ("max_faces", (None, "2")), ("max_faces", (None, "3"))]},
    ],
    ids=["form and query", "json and query", "query twice", "form twice"],
)
async def test_an_option_is_given_once(api: httpx.AsyncClient, arguments: dict[str, Any]) -> None:
    response = await api.post("/v1/detect", **arguments)

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response) == "Expected the option 'max_faces' once; found it more than once."


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/xml", "application/x-www-form-urlencoded", "image", ""]
)
async def test_an_image_in_another_type_of_body_is_refused(api: httpx.AsyncClient, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}

    response = await api.post("/v1/detect", content=drawing(0), headers=headers)

    assert code_of(response) == (415, "unsupported_media_type")
    assert "multipart/form-data" in message_of(response)


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
async def test_json_in_another_type_of_body_is_refused(api: httpx.AsyncClient, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}

    response = await api.post("/v1/collections", content=b'{"id": "a", "name": "A"}', headers=headers)

    assert code_of(response) == (415, "unsupported_media_type")
    assert "application/json" in message_of(response)


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/detect", "image/png"), ("/v1/detect", "application/json"), ("/v1/collections", None)]
)
@pytest.mark.parametrize("encoding", ["gzip", "BR", "deflate, gzip", "x" * 5000])
async def test_a_compressed_body_is_refused_by_the_name_of_its_encoding(
    api: httpx.AsyncClient, path: str, kind: str | None, encoding: str
) -> None:
    headers = {"content-type": kind or "application/json", "content-encoding": encoding}

    response = await api.post(path, content=b"\x1f\x8b", headers=headers)

    assert code_of(response) == (415, "unsupported_media_type")
    assert message_of(response) == f"Expected a body without Content-Encoding; found {encoding.lower()[:64]}."


async def test_a_body_that_says_it_is_as_it_is_is_taken(api: httpx.AsyncClient) -> None:
    headers = {"content-type": "image/png", "content-encoding": "identity"}

    assert (await api.post("/v1/detect", content=drawing(0), headers=headers)).status_code == 200


async def test_the_content_type_is_read_as_the_standard_says(api: httpx.AsyncClient) -> None:
    headers = {"content-type": "Application/JSON ; charset=utf-8"}

    response = await api.post("/v1/collections", content=b'{"id": "a", "name": "A"}', headers=headers)

    assert response.status_code == 201


@pytest.mark.parametrize(
    "arguments",
    [
        {"data": {"max_faces": "2"}, "files": {}},
        {"files": {"max_faces": (None, "2")}},
        {"json": {}},
        {"content": b"", "headers": {"content-type": "image/jpeg"}},
        {"content": b"--x--\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        multipart("image", drawing(0), drawing(0)),
        {"json": {"image": []}},
    ],
    ids=["form", "form without files", "json", "raw", "multipart", "two", "none"],
)
async def test_there_must_be_one_image(api: httpx.AsyncClient, arguments: dict[str, Any]) -> None:
    response = await api.post("/v1/detect", **arguments)

    assert response.status_code in (400, 415)
    assert message_of(response).startswith("Expected ")


async def test_an_enrolment_needs_an_image(api: httpx.AsyncClient) -> None:
    response = await api.post(PERSONS, files={"id": (None, "ada")})

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response) == "Expected at least one image in the field 'images'; found none."


async def test_an_image_field_that_is_text_is_explained(api: httpx.AsyncClient) -> None:
    response = await api.post("/v1/detect", files={"image": (None, "face.jpg")})

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response) == (
        "Expected the field 'image' to be a file; found a part with neither a file name nor an image's Content-Type. "
        "With curl: -F image=@FILE."
    )


async def test_a_file_in_another_field_is_explained(api: httpx.AsyncClient) -> None:
    response = await api.post("/v1/compare", files={"source": drawing(0), "image": drawing(0)})

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response) == "Expected images in 'source' and 'target'; found one in 'image'."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_faces": 0}, "max_faces: Input should be greater than or equal to 1; found '0'."),
        (
            {"max_faces": "many"},
            "max_faces: Input should be a valid integer, unable to parse string as an integer; found 'many'.",
        ),
        (
            {"max_faces": ""},
            "max_faces: Input should be a valid integer, unable to parse string as an integer; found ''.",
        ),
    ],
)
async def test_a_bad_option_is_explained(api: httpx.AsyncClient, options: dict[str, Any], message: str) -> None:
    for arguments in (multipart("image", drawing(0), **options), raw(drawing(0), **options)):
        response = await api.post("/v1/detect", **arguments)

        assert code_of(response) == (400, "invalid_request")
        assert message_of(response).replace('"', "'") == f"The request is malformed: {message}"


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1.01", "1e400", "", "0,5", "\x00"])
async def test_a_threshold_is_a_number_from_0_to_1(api: httpx.AsyncClient, value: str) -> None:
    response = await api.post(f"{STAFF}/search", **multipart("image", drawing(0), threshold=value))

    assert code_of(response) == (400, "invalid_request")


async def test_a_long_option_is_not_repeated_in_full(api: httpx.AsyncClient) -> None:
    long_value = await api.post("/v1/detect", **multipart("image", drawing(0), max_faces="9" * 5000))
    long_name = await api.post("/v1/detect", **multipart("image", drawing(0), **{"x" * 5000: "1"}))

    assert code_of(long_value) == code_of(long_name) == (400, "invalid_request")
    assert len(message_of(long_value)) < 300
    assert len(message_of(long_name)) < 300
