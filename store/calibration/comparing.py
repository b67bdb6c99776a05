"""Compares sampled faces with a chunk of a collection's faces, exactly."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FACES_AT_ONCE = 2048  # 40 MB of similarities for 5,000 samples
NO_SCORE = -1.0

Embeddings = npt.NDArray[np.float32]
Keys = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class Samples:
    """One face of each sampled person: `persons` and `faces`, int64 (n,), and `embeddings`, float32 (n, 512)."""

    persons: Keys
    faces: Keys
    embeddings: Embeddings


@dataclass(frozen=True, eq=False, slots=True)
class Chunk:
    """Some faces of a collection: `persons` and `faces`, int64 (m,), and `embeddings`, float32 (m, 512)."""

    persons: Keys
    faces: Keys
    embeddings: Embeddings


@dataclass(frozen=True, eq=False, slots=True)
class Best:
    """The best scores of n samples so far, float32 (n,), `NO_SCORE` where there is none.

    `other`: over faces of other persons, of whom `other_persons`, int64 (n,), is the one; `own`: over other faces of
    the same person.
    """

    other: Scores
    other_persons: Keys
    own: Scores

    @classmethod
    def none(cls, count: int) -> "Best":
        """Return the scores of `count` samples that were compared with nobody."""
        return cls(
            np.full(count, NO_SCORE, np.float32), np.zeros(count, np.int64), np.full(count, NO_SCORE, np.float32)
        )


def compared(samples: Samples, chunk: Chunk, best: Best) -> Best:
    """Return the better of `best` and the cosines between `samples` and the faces of `chunk`."""
    other, other_persons, own = best.other.copy(), best.other_persons.copy(), best.own.copy()
    order = np.argsort(samples.persons)
    for start in range(0, len(chunk.faces), FACES_AT_ONCE):
        part = slice(start, start + FACES_AT_ONCE)
        persons, faces = chunk.persons[part], chunk.faces[part]
        similarities = samples.embeddings @ chunk.embeddings[part].T  # (n, m)
        # A sampled person has one sample: each of his faces in the chunk belongs to one row.
        places = np.searchsorted(samples.persons, persons, sorter=order)
        rows = order[np.minimum(places, len(order) - 1)]
        columns = np.flatnonzero(samples.persons[rows] == persons)
        rows = rows[columns]
        is_another = samples.faces[rows] != faces[columns]
        np.maximum.at(own, rows[is_another], similarities[rows[is_another], columns[is_another]])
        similarities[rows, columns] = -np.inf
        nearest = similarities.argmax(axis=1)
        scores = similarities[np.arange(len(nearest)), nearest]
        is_better = scores > other
        other[is_better] = scores[is_better]
        other_persons[is_better] = persons[nearest[is_better]]
    return Best(np.minimum(other, 1.0), other_persons, np.minimum(own, 1.0))
