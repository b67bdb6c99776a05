"""Face-like embeddings in any number, the same ones each time.

ArcFace embeddings of different persons are no white noise: that would give cosines of mean 0 and deviation 0.044 in
512 dimensions. Theirs deviate by 0.06 to 0.1 around 0 to 0.05, with a tail of persons who look alike; two photos of
one person have 0.6 to 0.7 on average and deviate by about 0.1. Hence the parts of `Population`:

* a spectrum that falls off, so that fewer directions than 512 matter;
* groups of persons who share a part of their looks, of unequal sizes;
* photos of unequal quality, further from their person's centre or nearer.

The real pack `mini` gave, on the photos of a few persons (19 pairs of one person, 36 of two): 0.71 with deviation 0.08,
and 0.01 with 0.09.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Embeddings = npt.NDArray[np.float32]

DIMENSION = 512
BLOCK = 10_000  # persons made at a time, from a seed of their own: a smaller population is the beginning of a larger


@dataclass(frozen=True, slots=True)
class Population:
    """How embeddings are spread. The defaults meet `TARGETS`, which `distribution` shows.

    `decay`: the standard deviation along the last direction relative to the first, exponential between them.
    `group_share`: part of a person's variance that is common to the group. `common_share`: that is common to all.
    `spread`: median distance of a photo from its person's centre, of length 1; `spread_sigma`: its log-deviation.
    """

    decay: float = 0.08
    groups: int = 200
    group_share: float = 0.08
    common_share: float = 0.02
    spread: float = 0.68
    spread_sigma: float = 0.32
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Distribution:
    """Cosines between photos of one person and of different persons."""

    genuine_mean: float
    genuine_deviation: float
    impostor_mean: float
    impostor_deviation: float
    impostor_1_in_10_000: float


# Where recognisers trained with ArcFace's loss lie; by white noise 0.0, 0.044 and 0.16 for impostors.
TARGETS = {
    "genuine_mean": (0.60, 0.70),
    "genuine_deviation": (0.07, 0.12),
    "impostor_mean": (0.0, 0.05),
    "impostor_deviation": (0.06, 0.10),
    "impostor_1_in_10_000": (0.25, 0.40),
}


def persons(population: Population, count: int, photos: int) -> Iterator[Embeddings]:
    """Yield embeddings of length 1, float32 (up to BLOCK, `photos`, 512), of `count` persons in all."""
    basis, scales, common, groups, chances = _frame(population)
    for number in range(0, count, BLOCK):
        size = min(BLOCK, count - number)
        random = np.random.default_rng([population.seed, 1, number])
        own = random.standard_normal((BLOCK, DIMENSION), np.float32)[:size] * scales
        group = groups[random.choice(len(groups), BLOCK, p=chances)[:size]]
        own_share = 1 - population.group_share - population.common_share
        centres = (
            np.sqrt(own_share) * own
            + np.sqrt(population.group_share) * group
            + np.sqrt(population.common_share) * common
        )
        made = np.empty((size, photos, DIMENSION), np.float32)
        for photo in range(photos):  # each from a seed of its own: the first photos do not depend on their number
            random = np.random.default_rng([population.seed, 2, number, photo])
            spread = population.spread * np.exp(population.spread_sigma * random.standard_normal((BLOCK, 1)))
            noise = random.standard_normal((size, DIMENSION), np.float32) * scales
            made[:, photo] = _normalised(centres + spread[:size].astype(np.float32) * noise) @ basis
        yield made


def probes(population: Population, count: int, photo: int) -> Embeddings:
    """Return a further photo, number `photo`, of the first `count` persons, float32 (`count`, 512)."""
    return np.concatenate([block[:, photo] for block in persons(population, count, photo + 1)])


def distribution(population: Population, count: int = 4000) -> Distribution:
    """Return the cosines among two photos each of `count` persons."""
    photos = np.concatenate(list(persons(population, count, 2)))
    genuine = np.sum(photos[:, 0] * photos[:, 1], axis=1)
    cosines = photos[:, 0] @ photos[:, 1].T
    impostor = cosines[~np.eye(count, dtype=bool)]
    return Distribution(
        *(float(value) for value in (genuine.mean(), genuine.std(), impostor.mean(), impostor.std())),
        float(np.quantile(impostor, 1 - 1e-4)),
    )


def _frame(
    population: Population,
) -> tuple[Embeddings, Embeddings, Embeddings, Embeddings, npt.NDArray[np.float64]]:
    """Return a random basis, the deviations along it, what all share, what groups share, and the groups' chances."""
    random = np.random.default_rng([population.seed, 0])
    basis = np.linalg.qr(random.standard_normal((DIMENSION, DIMENSION)))[0].astype(np.float32)
    scales = population.decay ** np.linspace(0, 1, DIMENSION)
    scales = (scales / np.linalg.norm(scales)).astype(np.float32)  # vectors of length 1 on average
    common = random.standard_normal(DIMENSION, np.float32) * scales
    groups = random.standard_normal((population.groups, DIMENSION), np.float32) * scales
    chances = 1 / np.arange(1, population.groups + 1)  # Zipf's: some groups are large
    return basis, scales, common, groups, chances / chances.sum()


def _normalised(vectors: Embeddings) -> Embeddings:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
