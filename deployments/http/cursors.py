"""Opaque, signed cursors of lists: a client can neither read nor forge its way into another list."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import ClassVar

MAX_CURSOR_BYTES = 2048


class InvalidCursor(Exception):
    """The cursor is not one that this list gave out."""

    code: ClassVar[str] = "invalid_cursor"

    def __str__(self) -> str:
        return type(self).__doc__ or self.code


class CursorCodec:
    """Signs the place where a page ended, bound to the list (`scope`) that it came from."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hashlib.sha256(b"faceserve cursor v1\0" + secret).digest()

    def encode(self, scope: str, after: str) -> str:
        """Return a cursor to what follows `after` in the list `scope`."""
        place = json.dumps([scope, after]).encode()
        return base64.urlsafe_b64encode(self._sign(place) + place).rstrip(b"=").decode()

    def decode(self, cursor: str | None, scope: str) -> str | None:
        """Return the place that `cursor` marks in `scope`, None without a cursor. Raises InvalidCursor."""
        if cursor is None:
            return None
        if len(cursor) > MAX_CURSOR_BYTES:
            raise InvalidCursor()
        try:
            signed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (binascii.Error, ValueError) as error:
            raise InvalidCursor() from error
        signature, place = signed[:16], signed[16:]
        if not hmac.compare_digest(signature, self._sign(place)):
            raise InvalidCursor()
        try:  # where all keys are public, anybody can sign
            found, after = json.loads(place)
        except (ValueError, TypeError, RecursionError) as error:
            raise InvalidCursor() from error
        if found != scope or not isinstance(after, str):
            raise InvalidCursor()
        return after

    def _sign(self, place: bytes) -> bytes:
        return hmac.new(self._secret, place, hashlib.sha256).digest()[:16]
