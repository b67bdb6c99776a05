"""Who is nearest, by comparing a probe with every embedding: what searches are held to."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from tests.benchmarks.store.vectors import Embeddings

Numbers = npt.NDArray[np.int64]


def nearest_persons(persons: Iterable[Embeddings], probes: Embeddings, limit: int) -> Numbers:
    """Return for each of `probes`, float32 (n, 512), the numbers of the nearest persons, int64 (n, `limit`).

    `persons`: float32 (m, photos, 512) at a time, counted from 0. A person is as near as the nearest photo.
    """
    similarities = np.full((len(probes), limit), -2, np.float32)
    numbers = np.full((len(probes), limit), -1, np.int64)
    first = 0
    for block in persons:
        count, photos, width = block.shape
        best = (probes @ block.reshape(-1, width).T).reshape(len(probes), count, photos).max(axis=2)
        keep = min(limit, count)
        columns = np.argpartition(-best, keep - 1, axis=1)[:, :keep]
        similarities = np.concatenate([similarities, np.take_along_axis(best, columns, axis=1)], axis=1)
        numbers = np.concatenate([numbers, columns + first], axis=1)
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :limit]
        similarities = np.take_along_axis(similarities, order, axis=1)
        numbers = np.take_along_axis(numbers, order, axis=1)
        first += count
    return numbers
