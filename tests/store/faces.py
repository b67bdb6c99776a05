"""Values for the tests: face-like embeddings, faces, collections."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from store.types import Contract, DetectionProfile, NewCollection, NewFace

CONTRACT = Contract("contract-a", "arcface", "1", "sha256:a", 512, "1")
OTHER_CONTRACT = replace(CONTRACT, id="contract-b", model_digest="sha256:b")
DETECTION = DetectionProfile(((640, 640),), 0.5, 0.4, "largest")
COLLECTION = NewCollection(
    id="staff",
    name="Staff",
    description="",
    threshold=0.4,
    contract=CONTRACT,
    detection=DETECTION,
    search_profile="fp32_v1",
    capacity_rows=100_000,
    max_faces_per_person=20,
    load_policy="eager",
    save_face_crops=False,
)
NOISE = 0.8  # relative to an identity's centre: two photos of a person then have a cosine of about 0.6


def collection(**changes: Any) -> NewCollection:
    return replace(COLLECTION, **changes)


def normalised(vectors: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / lengths).astype(np.float32)


def identities(count: int, photos: int, seed: int = 1) -> npt.NDArray[np.float32]:
    """Embeddings, (count, photos, 512), as of `photos` photos of each of `count` persons."""
    random = np.random.default_rng(seed)
    centres = normalised(random.normal(size=(count, 1, 512)))
    return normalised(centres + NOISE * normalised(random.normal(size=(count, photos, 512))))


def embedding(seed: int) -> npt.NDArray[np.float32]:
    return identities(1, 1, seed)[0, 0]


def face(vector: npt.NDArray[np.float32] | None = None, *, seed: int = 1, crop: bytes | None = None) -> NewFace:
    return NewFace(
        box=(10.0, 20.0, 110.5, 140.0),
        image_width=640,
        image_height=480,
        landmarks=((30.0, 50.0), (80.0, 50.0), (55.0, 75.0), (35.0, 100.0), (75.0, 100.0)),
        detection_score=0.91,
        quality={"sharpness": 0.7},
        embedding=embedding(seed) if vector is None else vector,
        crop=crop,
    )
