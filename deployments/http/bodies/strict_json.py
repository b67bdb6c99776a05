"""JSON that a client sent: bounded in size and depth, of finite numbers, and with text that has a UTF-8 form."""

import json
import math
from codecs import BOM_UTF8
from typing import Any

import orjson

from deployments import bounds

SEPARATORS = b",:[{"  # one for each value but the first
MAX_DEPTH = 32  # pydantic refuses to serialise from 255 on, and Python's own parser gives up near 1000
LARGEST_INTEGER = 2.0**63  # orjson makes floats of larger ones


def load(text: str | bytes) -> Any:
    """Return the value of `text`. Raises ValueError, which says what was expected.

    What has too many values is refused before it is parsed, at 0.7 ms a megabyte. orjson takes a fifth of the time of
    Python's parser for embeddings, half with the look for large integers, whose digits only Python's keeps. Python's
    also explains what orjson refuses.
    """
    encoded = (text.encode() if isinstance(text, str) else text).removeprefix(BOM_UTF8)
    values = len(encoded) - len(encoded.translate(None, SEPARATORS))
    if values > bounds.JSON_VALUES:
        raise ValueError(f"expected JSON of at most {bounds.JSON_VALUES:,} values, found {values:,}")
    try:
        value = orjson.loads(encoded)
    except orjson.JSONDecodeError:
        return _load_in_python(encoded)
    return value if _largest(value) < LARGEST_INTEGER else _load_in_python(encoded)


def kind_of(value: Any) -> str:
    """Return what a JSON value is, in words for a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "an object"


def _largest(value: Any) -> float:
    """Return the largest float in `value`, whatever its sign. Raises ValueError for deep nesting."""
    largest = 0.0
    layer = [value]
    for _ in range(MAX_DEPTH + 1):
        largest = max(largest, max(map(abs, [item for item in layer if type(item) is float]), default=0.0))
        containers = [item for item in layer if type(item) is list or type(item) is dict]
        if not containers:
            return largest
        layer = [child for item in containers for child in (item.values() if type(item) is dict else item)]
    raise ValueError(f"expected JSON nested at most {MAX_DEPTH} deep")


def _load_in_python(encoded: bytes) -> Any:
    try:
        value = json.loads(encoded.decode(), parse_constant=_refuse_constant)
    except _NotANumber:
        raise
    except (ValueError, RecursionError) as error:
        raise ValueError("expected JSON; it could not be parsed") from error
    if _largest(value) == math.inf:
        raise ValueError("expected numbers that a double can hold")
    if _has_unpaired_surrogate(value):
        raise ValueError("expected text without unpaired surrogates")
    return value


class _NotANumber(ValueError):
    """A word that Python writes for a number and JSON does not have."""


def _refuse_constant(name: str) -> None:
    raise _NotANumber(f"expected numbers; found {name}, which JSON does not have")


def _has_unpaired_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
