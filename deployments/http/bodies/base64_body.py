"""Large base64 in a JSON body, without holding up whoever else is served: cut out before parsing, decoded in pieces.

Python's JSON parser and base64 decoder keep the interpreter to themselves, in a thread as well. For a photo of 10 MB
they held all others up for 26 ms, and on the event loop for 56; this takes 2 ms at a time at most, to look for where
the text ends, and less in all (`faceserve bench loop_lag`).
"""

import asyncio
import binascii
import secrets
from collections.abc import Iterator, Mapping

LONG_BYTES = 64 * 2**10  # shorter ones take less than 0.2 ms altogether
PIECE_BYTES = 256 * 2**10  # decoded in 0.5 ms; a multiple of 4, as base64 asks
MOST_PREFIX = 256  # of a data URL, to its comma
FIRST_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


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
    """Return what `text`, base64 or a data URL of it, perhaps broken into lines, stands for. Raises ValueError."""
    has_lines = isinstance(text, str) and "\n" in text  # as the command `base64` breaks them
    encoded = memoryview(text.encode("ascii")) if isinstance(text, str) else text
    if bytes(encoded[:5]) == b"data:":
        encoded = encoded[bytes(encoded[:MOST_PREFIX]).find(b",") + 1 :]
    pieces = []
    rest = b""
    for at in range(0, max(1, len(encoded)), PIECE_BYTES):
        if at:
            await asyncio.sleep(0)
        is_last = at + PIECE_BYTES >= len(encoded)
        piece = bytes(encoded[at : at + PIECE_BYTES])
        piece = rest + (b"".join(piece.split()) if has_lines else piece)
        whole = len(piece) if is_last else len(piece) // 4 * 4
        piece, rest = piece[:whole], piece[whole:]
        if not is_last and b"=" in piece:
            raise ValueError("padding before the end")
        pieces.append(binascii.a2b_base64(piece, strict_mode=True))
    return b"".join(pieces)
