"""Large base64 in JSON: the same result as Python's own parser and decoder, in pieces that leave room for others."""

import asyncio
import base64
import json
import random

import httpx
import pytest

from deployments.http.bodies.base64_body import LONG_BYTES, PIECE_BYTES, decode_base64, lift_long_texts
from tests.deployments.colours import drawing
from tests.deployments.service import code_of

BYTES = random.Random(7).randbytes(3 * PIECE_BYTES + 1)
TEXT = base64.b64encode(BYTES).decode()


async def turns_during(work: "asyncio.Task[bytes]") -> int:
    """Return how often another task of the loop gets its turn before `work` is done."""
    turns = 0
    while not work.done():
        await asyncio.sleep(0)
        turns += 1
    return turns


async def test_others_have_their_turn_while_ten_megabytes_are_decoded() -> None:
    text = base64.b64encode(bytes(10 * 2**20)).decode()

    turns = await turns_during(asyncio.create_task(decode_base64(text)))

    assert turns >= len(text) // PIECE_BYTES


@pytest.mark.parametrize("size", [0, 1, 2, 3, PIECE_BYTES // 4 * 3 - 1, PIECE_BYTES, len(BYTES)])
async def test_pieces_give_what_the_whole_gives(size: int) -> None:
    text = base64.b64encode(BYTES[:size]).decode()

    assert await decode_base64(text) == BYTES[:size]
    assert await decode_base64(memoryview(text.encode())) == BYTES[:size]
    assert await decode_base64(f"data:image/png;base64,{text}") == BYTES[:size]
    assert await decode_base64(base64.encodebytes(BYTES[:size]).decode()) == BYTES[:size]


@pytest.mark.parametrize("at", [PIECE_BYTES - 1, PIECE_BYTES, 2 * PIECE_BYTES + 2])
@pytest.mark.parametrize("wrong", ["=", "?", " ", "é"])
async def test_what_is_no_base64_is_refused_wherever_it_is(at: int, wrong: str) -> None:
    with pytest.raises(ValueError):
        await decode_base64(TEXT[:at] + wrong + TEXT[at + 1 :])


async def test_padding_in_the_middle_is_refused() -> None:
    with pytest.raises(ValueError):
        await decode_base64(TEXT[: PIECE_BYTES - 4] + "QQ==" + TEXT)


@pytest.mark.parametrize(
    "value",
    [
        {"image": TEXT},
        {"images": [TEXT, "short", TEXT[::-1].lstrip("=")]},
        {"a": "b", "image": f"data:image/png;base64,{TEXT}", "c": [1.5] * 9},
    ],
)
def test_a_lifted_text_is_found_by_its_word(value: dict[str, object]) -> None:
    short, lifted = lift_long_texts(json.dumps(value).encode())

    def restored(part: object) -> object:
        if isinstance(part, str):
            return bytes(lifted[part]).decode() if part in lifted else part
        return [restored(item) for item in part] if isinstance(part, list) else part

    assert len(short) < LONG_BYTES
    assert {name: restored(part) for name, part in json.loads(short).items()} == value


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "x' + b" " * LONG_BYTES + b'"}',
        b'{"a": "' + b"A" * LONG_BYTES + b'\\n"}',
        b'{"a": "x\\"' + b"A" * LONG_BYTES + b'"}',
        b'{"a": "b",' + b" " * LONG_BYTES + b'"c": 1}',
        b'{"a": 1' + b"1" * LONG_BYTES + b', "c": 1}',
        b'{"a": "' + b"A" * LONG_BYTES,
        b"A" * LONG_BYTES + b'"',
        b'{"a": "' + b"A" * (LONG_BYTES - 1) + b'"}',
    ],
)
def test_nothing_else_is_lifted(body: bytes) -> None:
    short, _ = lift_long_texts(body)

    if body.startswith(b'{"a": "x '):  # begins as base64 does: the decoder will see what it is
        assert len(short) < len(body)
    else:
        assert short == body


async def test_a_large_photo_in_json_is_seen(api: httpx.AsyncClient) -> None:
    image = drawing(0, 90) + bytes(LONG_BYTES)  # what follows a PNG's end is not looked at

    response = await api.post("/v1/detect", json={"image": base64.b64encode(image).decode()})

    assert response.status_code == 200, response.text
    assert len(response.json()["faces"]) == 2


async def test_a_long_text_in_another_field_is_refused_for_what_it_is(api: httpx.AsyncClient) -> None:
    response = await api.post(
        "/v1/collections/staff/persons",
        json={"images": [base64.b64encode(drawing(0)).decode()], "name": "A" * LONG_BYTES},
    )

    assert code_of(response) == (400, "invalid_request")
    assert "lifted" not in response.text
    assert "at most 200" in response.text
