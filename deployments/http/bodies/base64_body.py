"""Large base64 in a JSON body, without holding up whoever else is served: cut out before parsing, decoded in pieces.

A JSON parser keeps the interpreter to itself, in a thread as well: 28 ms for a photo of 10 MB. To look for where its
text ends takes 2 ms, and to decode it another 2 (`faceserve bench loop_lag`). What is left can be bounded tightly.
"""

import asyncio
import re
import secrets
from collections.abc import Iterator, Mapping

import pybase64

LONG_BYTES = 16 * 2**10  # shorter ones take less than 0.1 ms altogether
PIECE_BYTES = 2**20  # decoded in 0.2 ms, in 1.2 where it is URL-safe; a multiple of 4, as base64 asks
MOST_PREFIX = 256  # of a data URL, to its comma
FIRST_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
WHITESPACE = b" \t\r\n"
FOREIGN = re.compile(rb"[^A-Za-z0-9+/_=-]")


class NotBase64(ValueError):
    """Text that is no base64; the message says what was found."""


def lift_long_texts(body: bytes) -> tuple[bytes, Mapping[str, memoryview]]:
    """Return a JSON `body` with short words in place of its long base64 strings, and these strings by their words.

    Lifts what stands between two quotes, `LONG_BYTES` or more, begins as base64 does and has no escapes. In valid JSON
    only the inside of a string is like this: what is outside begins with punctuation or space. Clients cannot know the
    words.
    """
    view = memoryview(body)
    nonce = secrets.token_hex(8)
    lifted: dict[str, memoryview] = {}
    short: list[bytes | memoryview] = []
    kept_to = 0
    for begin, end in _between_quotes(body):
        if body[begin] in FIRST_BYTES and body[begin - 2 : begin - 1] != b"\\" and body.find(b"\\", begin, end) < 0:
            word = f"lifted-{nonce}-{len(lifted)}"
            lifted[word] = view[begin:end]
            short += [view[kept_to:begin], word.encode()]
            kept_to = end
    return (b"".join([*short, view[kept_to:]]), lifted) if lifted else (body, lifted)


def _between_quotes(body: bytes) -> Iterator[tuple[int, int]]:
    """Give where the stretches of `LONG_BYTES` or more without a quote, between two quotes, begin and end.

    Such a stretch fills a block of half the length, so that looking for a quote in each block finds them all.
    """
    block = LONG_BYTES // 2
    at = 0
    while at + block <= len(body):
        if body.find(b'"', at, at + block) >= 0:
            at += block
            continue
        begin, end = body.rfind(b'"', 0, at) + 1, body.find(b'"', at)
        if end < 0:
            return
        if begin > 0 and end - begin >= LONG_BYTES:
            yield begin, end
        at = -(-end // block) * block


async def decode_base64(text: str | memoryview) -> bytes:
    """Return what `text` stands for. Raises NotBase64.

    It is base64 of the standard or the URL-safe alphabet, with or without padding, perhaps broken into lines, or a data
    URL of it.
    """
    try:
        encoded = bytes(text if isinstance(text, memoryview) else text.encode("ascii")).strip(WHITESPACE)
    except UnicodeEncodeError as error:
        raise NotBase64(f"found {text[error.start : error.start + 1]!r}") from error
    if encoded[:5].lower() == b"data:":
        encoded = encoded[encoded.find(b",", 0, MOST_PREFIX) + 1 :].lstrip(WHITESPACE)
    has_spaces = any(space in encoded for space in (b"\n", b"\r", b"\t", b" "))  # as the command `base64` breaks lines
    alphabet = b"-_" if b"-" in encoded or b"_" in encoded else None
    if alphabet is not None and (b"+" in encoded or b"/" in encoded):
        raise NotBase64("found characters of both alphabets, the standard and the URL-safe one")
    pieces = []
    rest = b""
    for at in range(0, len(encoded), PIECE_BYTES):
        if at:
            await asyncio.sleep(0)
        piece = encoded[at : at + PIECE_BYTES]
        piece = rest + (piece.translate(None, WHITESPACE) if has_spaces else piece)
        if at + PIECE_BYTES < len(encoded):
            whole = len(piece) // 4 * 4
            piece, rest = piece[:whole], piece[whole:]
            if b"=" in piece:
                raise NotBase64("found padding before the end")
        elif not piece.endswith(b"="):
            piece += b"=" * (-len(piece) % 4)
        try:
            pieces.append(pybase64.b64decode(piece, altchars=alphabet, validate=True))
        except ValueError as error:
            raise NotBase64(_fault(piece)) from error
    return b"".join(pieces)


def _fault(piece: bytes) -> str:
    foreign = FOREIGN.search(piece)
    return "its length or its padding is wrong" if foreign is None else f"found {chr(foreign[0][0])!r}"
