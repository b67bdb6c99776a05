import pickle
from collections.abc import Iterator

import pytest

from store import errors

EXAMPLES = {
    errors.SchemaMismatch: (2, 1),
    errors.UnsupportedDatabase: ("pgvector", "0.8.4", "0.7.0"),
    errors.CollectionNotEmpty: ("staff", 3),
    errors.CollectionModelMismatch: ("staff", "a", "b"),
    errors.CollectionCapacityExceeded: (10, 11),
    errors.PersonFaceLimitExceeded: (3, 4),
    errors.InvalidValue: ("name", "it is too odd"),
    errors.LocalDatabaseFailed: ("start", "no space"),
    errors.StoreError: (),
    errors.StoreUnavailable: (),
    errors.DatabaseRefused: ("there is no database of the name in the URL",),
}


def classes(base: type[errors.StoreError] = errors.StoreError) -> Iterator[type[errors.StoreError]]:
    yield base
    for child in base.__subclasses__():
        yield from classes(child)


@pytest.mark.parametrize("kind", list(classes()), ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling(kind: type[errors.StoreError]) -> None:
    error = kind(*EXAMPLES.get(kind, ("some-id",)))

    again = pickle.loads(pickle.dumps(error))

    assert type(again) is kind
    assert (again.args, vars(again), str(again), again.code) == (error.args, vars(error), str(error), kind.code)
    assert str(error)


def test_codes_tell_errors_apart() -> None:
    refused = errors.DatabaseRefused  # to a client it is what StoreUnavailable is
    codes = [kind.code for kind in classes() if not kind.__name__.startswith("_") and kind is not refused]

    assert len(set(codes)) == len(codes)
