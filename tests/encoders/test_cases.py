"""Photos of users' reports that were answered wrongly, where they lie beside the checkout."""

from pathlib import Path

import numpy as np
import pytest

from encoders.pack_encoder import InsightFacePackEncoder
from encoders.types import AnalyzeOptions

pytestmark = pytest.mark.pack

CASES = Path(__file__).parents[2].parent / "shared" / "cases"
MATCH = 0.4  # the threshold of the ArcFace packs


@pytest.fixture(scope="module")
def persons(real_encoder: InsightFacePackEncoder, photos: Path) -> dict[str, np.ndarray]:
    """Return the embeddings (n, 512) of each person of the gallery."""
    largest = AnalyzeOptions(selection="largest")
    return {
        person.name: np.array(
            [real_encoder.analyze(photo.read_bytes(), largest).faces[0].embedding for photo in sorted(person.iterdir())]
        )
        for person in sorted((photos / "gallery").iterdir())
    }


def case(name: str) -> bytes:
    if not (CASES / name).is_file():
        pytest.skip("no cases beside the checkout (../shared/cases)")
    return (CASES / name).read_bytes()


def best_match(persons: dict[str, np.ndarray], embedding: np.ndarray | None) -> tuple[str, float]:
    assert embedding is not None
    similarities = {name: float((known @ embedding).max()) for name, known in persons.items()}
    best = max(similarities, key=similarities.__getitem__)
    return best, similarities[best]


@pytest.mark.parametrize("name", ["no_end_marker.jpg", "ir_12_bits_in_16.png"])
def test_a_photo_that_a_camera_wrote_in_its_own_way_is_recognised(
    real_encoder: InsightFacePackEncoder, persons: dict[str, np.ndarray], name: str
) -> None:
    [face] = real_encoder.analyze(case(name), AnalyzeOptions(selection="largest")).faces

    _, similarity = best_match(persons, face.embedding)

    assert face.quality.brightness > 0.2
    assert similarity > MATCH


def test_a_photo_that_is_upside_down_is_turned_and_recognised(
    real_encoder: InsightFacePackEncoder, persons: dict[str, np.ndarray]
) -> None:
    analysis = real_encoder.analyze(case("upside_down_b.jpg"), AnalyzeOptions(selection="largest"))

    _, similarity = best_match(persons, analysis.faces[0].embedding)

    assert analysis.rotation == 180
    assert similarity > MATCH
