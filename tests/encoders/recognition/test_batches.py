import pytest

from encoders.recognition.batches import batches_of


@pytest.mark.parametrize(
    ("count", "sizes", "expected"),
    [
        (0, (1, 4), []),
        (1, (1, 4), [(1, 1)]),
        (2, (1, 4), [(1, 1), (1, 1)]),
        (3, (1, 4), [(3, 4)]),
        (6, (1, 4), [(4, 4), (1, 1), (1, 1)]),
        (7, (1, 4), [(4, 4), (3, 4)]),
        (3, (1, 2, 3, 4, 5), [(3, 3)]),
        (7, (1, 2, 3, 4, 5), [(5, 5), (2, 2)]),
        (5, (1, 2, 4, 8), [(4, 4), (1, 1)]),
        (6, (1, 2, 4, 8), [(6, 8)]),
        (3, (1,), [(1, 1)] * 3),
    ],
)
def test_faces_are_cut_into_batches_that_are_full_or_nearly_so(
    count: int, sizes: tuple[int, ...], expected: list[tuple[int, int]]
) -> None:
    assert batches_of(count, sizes) == expected
