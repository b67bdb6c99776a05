"""JSON that a client sent: bounded in depth, without Python's NaN and Infinity, and with text that has a UTF-8 form."""

import json
from typing import Any

MAX_DEPTH = 32  # pydantic refuses to serialise from 255 on, and Python's own parser gives up near 1000


def load(text: str | bytes) -> Any:
    """Return the value of `text`. Raises ValueError, which says what was expected."""
    try:
        if isinstance(text, bytes):  # json.loads would take UTF-16 too, and surrogates that have no UTF-8 form
            text = text.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError("expected JSON; it could not be parsed") from error
    if is_deeper(value, MAX_DEPTH):
        raise ValueError(f"expected JSON nested at most {MAX_DEPTH} deep")
    if "\\u" in text and _has_unpaired_surrogate(value):  # only an escape can make one
        raise ValueError("expected text without unpaired surrogates")
    return value


def is_deeper(value: Any, depth: int) -> bool:
    """Tell whether lists and objects are nested more than `depth` deep in `value`."""
    layer = [value]
    for _ in range(depth + 1):
        containers = [item for item in layer if isinstance(item, list | dict)]
        if not containers:
            return False
        layer = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]
    return True


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


def _has_unpaired_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
