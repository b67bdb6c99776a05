"""The values that the store takes and gives. Times are timezone-aware UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

EMBEDDING_DIMENSION = 512  # of the column embeddings.embedding
EmbeddingSource = Literal["server", "external_trusted"]
FaceSelection = Literal["largest", "center_largest"]
IndexState = Literal["exact", "building", "ready"]


@dataclass(frozen=True, slots=True)
class Contract:
    """What makes embeddings comparable; a collection is bound to one."""

    id: str
    model_id: str
    model_version: str
    model_digest: str
    dimension: int
    preprocessing_version: str


@dataclass(frozen=True, slots=True)
class DetectionProfile:
    """How faces are looked for in the photos of a collection."""

    input_sizes: tuple[tuple[int, int], ...]
    threshold: float
    nms_threshold: float
    single_face_selection: FaceSelection


@dataclass(frozen=True, slots=True)
class AppliedCalibration:
    """What scores mean in a collection: of `persons` when it was calibrated, `persons_sampled` of whom were compared.

    `stranger_rates`: for each of `scores`, ascending cosines, the share of strangers whose best is at least as high.
    """

    calibration_id: str
    applied_at: datetime
    former_threshold: float
    persons: int
    persons_sampled: int
    scores: tuple[float, ...]
    stranger_rates: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionProperties:
    """What a collection is created with and can be changed; each has a column of its name.

    `threshold`: the default similarity from which a candidate is a match. `capacity_rows`: the most faces.
    """

    name: str
    description: str
    threshold: float
    detection: DetectionProfile
    capacity_rows: int
    max_faces_per_person: int
    load_policy: str
    save_face_crops: bool
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCollection(CollectionProperties):
    """A collection to be created."""

    id: str
    contract: Contract
    search_profile: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection(CollectionProperties):
    """A collection with its counts. A revision counts the changes of what it is named for."""

    id: str
    contract: Contract
    search_profile: str
    search_revision: int
    detection_revision: int
    person_count: int
    face_count: int
    index_state: IndexState
    created_at: datetime
    updated_at: datetime
    calibration: AppliedCalibration | None = None


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A person to be created. Without an `id`, a UUID is made."""

    id: str | None = None
    name: str | None = None
    external_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Person:
    """A person of a collection."""

    id: str
    name: str | None
    external_id: str | None
    metadata: Mapping[str, Any]
    face_count: int
    created_at: datetime
    updated_at: datetime
    is_anonymous: bool = False  # made for an indexed face, and in no list of persons


@dataclass(frozen=True, eq=False, slots=True)
class NewFace:
    """A face to be remembered.

    `box`: left, top, right, bottom in pixels of the upright image, whose size is `image_width` x `image_height`.
    `embedding`: float32 (512,), L2-normalised. `crop`: JPEG, kept only in collections that save crops.
    `source_sha256`: of the file that the face was found in, 32 bytes; None where there was no file.
    """

    box: tuple[float, float, float, float]
    image_width: int
    image_height: int
    landmarks: tuple[tuple[float, float], ...] | None
    detection_score: float
    quality: Mapping[str, float]
    embedding: npt.NDArray[np.float32]
    source: EmbeddingSource = "server"
    crop: bytes | None = None
    source_sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class FaceRecord:
    """A remembered face, without its embedding. `id` is a UUID. `source_sha256`: of the enrolled file, in hex.

    `image_id`, a UUID, and `external_image_id`: of the image that was indexed; None for a face that was enrolled.
    """

    id: str
    person_id: str
    box: tuple[float, float, float, float]
    image_width: int
    image_height: int
    landmarks: tuple[tuple[float, float], ...] | None
    detection_score: float
    quality: Mapping[str, float]
    source: EmbeddingSource
    contract: Contract
    has_crop: bool
    created_at: datetime
    source_sha256: str | None = None
    image_id: str | None = None
    external_image_id: str | None = None


@dataclass(frozen=True, slots=True)
class IndexedImage:
    """An image whose faces are indexed. `id`: a UUID that follows from its content, so that it is indexed once."""

    id: str
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Enrollment:
    """A person with the faces that one write added."""

    person: Person
    faces: tuple[FaceRecord, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person whose best face is near the probe. `similarity` is the cosine, -1 to 1, of that face."""

    person: Person
    face_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """For each probe its candidates, most similar first. `is_exact` says which tier answered."""

    threshold: float
    candidates: tuple[tuple[Candidate, ...], ...]
    is_exact: bool


@dataclass(frozen=True, slots=True)
class NearestFace:
    """The face of a person that is nearest to a probe. `similarity` is the cosine, -1 to 1."""

    face_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Verification:
    """For each probe the nearest of a person's faces, None for a person without faces."""

    person: Person
    threshold: float
    nearest: tuple[NearestFace | None, ...]


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's key for one write. `fingerprint` identifies the request's content; `note` is kept with the outcome."""

    key: str
    fingerprint: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Replay:
    """The outcome of a write that was already done under the same key, and the note left with it."""

    outcome: Any
    note: str


@dataclass(frozen=True, eq=False, slots=True)
class ArchivedFace:
    """A remembered face with all that is kept of it. `position`: where it stands in the order of enrolment."""

    record: FaceRecord
    position: int
    embedding: npt.NDArray[np.float32]
    crop: bytes | None


@dataclass(frozen=True, slots=True)
class RestoredPerson:
    """A person of an archive."""

    person: NewPerson
    created_at: datetime


@dataclass(frozen=True, eq=False, slots=True)
class RestoredFace:
    """A face of an archive. `id`: a UUID, the one that it had."""

    id: str
    person_id: str
    face: NewFace
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RestoreCounts:
    """What a restore wrote, and what it passed over.

    `present`: faces that the collection has already. `skipped`: faces whose person is not there, and persons whose
    external id another person has.
    """

    persons: int
    faces: int
    present: int
    skipped: int


@dataclass(frozen=True, slots=True)
class KnownSources:
    """What a collection has of the files and persons that were asked about.

    `persons_by_source`: for each sha256 in hex that is there, the id of a person with a face from that file.
    `person_ids`: the persons that are there.
    """

    persons_by_source: Mapping[str, str]
    person_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Statistics:
    """How much a tenant has stored."""

    collections: int
    persons: int
    faces: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """A comparison of sampled persons with everybody else of their collection, and how far it has come.

    `persons`: of the collection when it began. `faces`: of the collection now, of which `faces_compared` are done.
    `is_current`: whether the collection still has the embedding contract that was calibrated.
    """

    id: str
    persons: int
    persons_sampled: int
    faces_compared: int
    faces: int
    is_current: bool
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, eq=False, slots=True)
class CalibrationScores:
    """What a calibration has found; float64 cosines.

    `strangers`, (n,): the best score of each sampled person over everybody else. `partners`, int64 (n,): the place in
    the sample of the person who scored so, -1 where he is not in it. `members`, (m,): the best score over another face
    of their own, of those who have two faces or more.
    """

    strangers: npt.NDArray[np.float64]
    partners: npt.NDArray[np.int64]
    members: npt.NDArray[np.float64]
