"""Marks on the gallery's operations: which only read, and which write. Whoever passes calls on derives the rest."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

Kind = Literal["read", "write"]
Operation = TypeVar("Operation", bound=Callable[..., Any])

MARK = "_gallery_operation"


def read(operation: Operation) -> Operation:
    """Mark an operation that changes nothing: it may be asked again when its answer was lost."""
    vars(operation)[MARK] = "read"
    return operation


def write(operation: Operation) -> Operation:
    """Mark an operation that changes something: when its answer was lost, it may have happened."""
    vars(operation)[MARK] = "write"
    return operation


def operations_of(gallery: type) -> Mapping[str, Kind]:
    """Return the names of the marked operations of a class and its bases, bases first."""
    return {
        name: vars(member)[MARK]
        for each in reversed(gallery.__mro__)
        for name, member in vars(each).items()
        if MARK in getattr(member, "__dict__", ())
    }
