from dataclasses import asdict

import numpy as np
import pytest

from store.gallery import Gallery
from tests.benchmarks.store.galleries import LARGE
from tests.benchmarks.store.loading import load, loading, person_id
from tests.benchmarks.store.measuring import recall, search
from tests.benchmarks.store.truth import nearest_persons
from tests.benchmarks.store.vectors import TARGETS, Population, distribution, persons, probes

POPULATION = Population(seed=7)


def test_generated_embeddings_are_spread_like_those_of_faces() -> None:
    shown = asdict(distribution(Population(), 1000))

    for name, (lowest, highest) in TARGETS.items():
        assert lowest <= shown[name] <= highest, name


def test_a_smaller_population_is_the_beginning_of_a_larger_one() -> None:
    (few,), (many,) = list(persons(POPULATION, 30, 2)), list(persons(POPULATION, 40, 3))

    np.testing.assert_array_equal(few, many[:30, :2])
    np.testing.assert_array_equal(probes(POPULATION, 30, 2), many[:30, 2])
    assert np.linalg.norm(few, axis=-1) == pytest.approx(1, abs=1e-5)


def test_the_truth_is_the_same_in_one_block_and_in_several() -> None:
    (all_persons,) = persons(POPULATION, 60, 2)
    asked = probes(POPULATION, 20, 2)

    whole = nearest_persons([all_persons], asked, 5)
    parts = nearest_persons(np.split(all_persons, [7, 30]), asked, 5)

    np.testing.assert_array_equal(whole, parts)
    best = (all_persons @ asked[3]).max(axis=1)
    np.testing.assert_array_equal(whole[3], np.argsort(-best)[:5])


async def test_loaded_persons_are_counted_found_and_deleted_as_enrolled_ones_are(url: str, gallery: Gallery) -> None:
    (all_persons,) = persons(POPULATION, 60, 2)
    asked = probes(POPULATION, 20, 2)

    async with loading(url) as connection:
        loaded = await load(connection, gallery, LARGE, [all_persons[:40], all_persons[40:]])

    found = await recall(gallery, LARGE, asked, nearest_persons([all_persons], asked, 10))
    assert (loaded, found.first, found.ten) == (120, 1.0, 1.0)
    statistics = await gallery.statistics("acme")
    assert (statistics.persons, statistics.faces) == (60, 120)
    await gallery.delete_person("acme", LARGE, person_id(3))
    (candidates,) = (await search(gallery, LARGE, asked[3])).candidates
    assert person_id(3) not in {candidate.person.id for candidate in candidates}
