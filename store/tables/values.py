"""Checks of what callers give, before PostgreSQL would refuse it with an error that names no field."""

import json
import os
import re
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from store.errors import InvalidValue
from store.types import EMBEDDING_DIMENSION

ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # after an even number of backslashes
NORM_TOLERANCE = 1e-2  # half-precision inputs are normalised to about 1e-3


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can hold the text: no NUL character, no half of a surrogate pair."""
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


def check_text(field: str, text: str | None) -> None:
    """Raise InvalidValue for a text that PostgreSQL cannot hold."""
    if text is not None and not is_storable(text):
        raise InvalidValue(field, "it contains a NUL character or a lone surrogate")


def check_json(field: str, value: Mapping[str, Any] | list[Any]) -> None:
    """Raise InvalidValue for what a jsonb column cannot hold."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as exc:  # UnicodeEncodeError is a ValueError
        raise InvalidValue(field, "it is not JSON") from exc
    if ESCAPED_NUL.search(text):
        raise InvalidValue(field, "it contains a NUL character")


def check_embeddings(field: str, embeddings: npt.NDArray[np.float32]) -> None:
    """Raise InvalidValue unless `embeddings`, (n, 512), are float32, finite and of length one."""
    if embeddings.dtype != np.float32 or embeddings.ndim != 2 or embeddings.shape[1] != EMBEDDING_DIMENSION:
        found = f"{embeddings.dtype} {embeddings.shape}"
        raise InvalidValue(field, f"expected float32 (n, {EMBEDDING_DIMENSION}), found {found}")
    norms = np.linalg.norm(embeddings, axis=1)  # (n,)
    if not np.all(np.abs(norms - 1.0) < NORM_TOLERANCE):  # false for NaN too
        raise InvalidValue(field, "expected finite embeddings of length 1")


def parse_uuid(text: str) -> UUID | None:
    """Return the UUID in canonical form, or None: such an id was never given out."""
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text.lower() else None


def new_uuids(count: int) -> list[UUID]:
    """Return `count` ascending version 7 UUIDs (RFC 9562): later writes sort later and share index pages."""
    milliseconds = time.time_ns() // 1_000_000
    first = int.from_bytes(os.urandom(9)) >> 1  # 71 random bits of 74: counting on does not overflow
    uuids = []
    for random_bits in range(first, first + count):
        value = milliseconds << 80 | 0x7 << 76 | (random_bits >> 62) << 64 | 0b10 << 62 | random_bits & (1 << 62) - 1
        uuids.append(UUID(int=value))
    return uuids
