"""Rows of the database as values of the store, and the columns they need."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from store.database.driver import Row
from store.errors import InvalidValue
from store.types import (
    AppliedCalibration,
    Collection,
    CollectionProperties,
    Contract,
    DetectionProfile,
    FaceRecord,
    Person,
)

COLLECTION_PROPERTIES = tuple(each.name for each in fields(CollectionProperties))

# The catalog is the truth about an index: a stored state could outlive a crashed build.
COLLECTION_COLUMNS = f"""
    collections.collection_pk,
    collections.contract_pk,
    collections.id,
    {", ".join(f"collections.{name}" for name in COLLECTION_PROPERTIES)},
    collections.detection_revision,
    collections.search_profile,
    collections.search_revision,
    collections.person_count,
    collections.face_count,
    collections.anonymous_count,
    collections.created_at,
    collections.updated_at,
    collections.calibration,
    contracts.id as contract_id,
    contracts.model_id,
    contracts.model_version,
    contracts.model_digest,
    contracts.dimension,
    contracts.preprocessing_version,
    (
        select case when pg_index.indisvalid then 'ready' else 'building' end
        from pg_index
        where pg_index.indexrelid
            = to_regclass('embeddings_hnsw_' || collections.collection_pk || '_' || collections.contract_pk)
    ) as index_state
"""

PERSON_COLUMNS = """
    persons.person_pk,
    persons.id,
    persons.name,
    persons.external_id,
    persons.metadata,
    persons.face_count,
    persons.is_anonymous,
    persons.created_at,
    persons.updated_at
"""

FACE_COLUMNS = """
    faces.face_pk,
    faces.face_id,
    persons.id as person_id,
    faces.box_left,
    faces.box_top,
    faces.box_right,
    faces.box_bottom,
    faces.image_width,
    faces.image_height,
    faces.landmarks,
    faces.detection_score,
    faces.quality,
    faces.source,
    faces.crop is not null as has_crop,
    faces.source_sha256,
    faces.image_id,
    faces.external_image_id,
    faces.created_at
"""


def index_name(collection_pk: int, contract_pk: int) -> str:
    """The name of the HNSW index for the collection's embeddings of one contract."""
    return f"embeddings_hnsw_{collection_pk:d}_{contract_pk:d}"


def contract_from(row: Row) -> Contract:
    """The contract in a row of COLLECTION_COLUMNS."""
    return Contract(
        id=row["contract_id"],
        model_id=row["model_id"],
        model_version=row["model_version"],
        model_digest=row["model_digest"],
        dimension=row["dimension"],
        preprocessing_version=row["preprocessing_version"],
    )


def collection_from(row: Row) -> Collection:
    """The collection in a row of COLLECTION_COLUMNS."""
    properties = {name: row[name] for name in COLLECTION_PROPERTIES}
    return Collection(
        **properties | {"detection": detection_from(row["detection"])},
        id=row["id"],
        contract=contract_from(row),
        search_profile=row["search_profile"],
        search_revision=row["search_revision"],
        detection_revision=row["detection_revision"],
        person_count=row["person_count"],
        face_count=row["face_count"],
        index_state=row["index_state"] or "exact",
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        calibration=calibration_from(row["calibration"]),
    )


def property_columns(new: CollectionProperties) -> dict[str, Any]:
    """The columns that hold the properties of a collection."""
    columns = {name: getattr(new, name) for name in COLLECTION_PROPERTIES}
    return columns | {"detection": asdict(new.detection), "metadata": dict(new.metadata)}


def calibration_from(column: dict[str, Any] | None) -> AppliedCalibration | None:
    """The applied calibration in its jsonb column."""
    if column is None:
        return None
    lists = {name: tuple(column[name]) for name in ("scores", "stranger_rates")}
    return AppliedCalibration(**column | lists | {"applied_at": datetime.fromisoformat(column["applied_at"])})


def calibration_column(applied: AppliedCalibration) -> dict[str, Any]:
    """The jsonb column that holds the applied calibration."""
    return asdict(applied) | {"applied_at": applied.applied_at.isoformat()}


def detection_from(column: dict[str, Any]) -> DetectionProfile:
    """The detection profile in its jsonb column."""
    return DetectionProfile(
        input_sizes=tuple((width, height) for width, height in column["input_sizes"]),
        threshold=column["threshold"],
        nms_threshold=column["nms_threshold"],
        single_face_selection=column["single_face_selection"],
    )


def detection_changes(detection: DetectionProfile | Mapping[str, Any]) -> dict[str, Any]:
    """What to lay over the jsonb column: a whole profile, or those of its fields that change. Raises InvalidValue."""
    changes = asdict(detection) if isinstance(detection, DetectionProfile) else dict(detection)
    unknown = set(changes) - {field.name for field in fields(DetectionProfile)}
    if unknown:
        raise InvalidValue("detection", f"it has no {', '.join(sorted(unknown))}")
    return changes


def person_from(row: Row) -> Person:
    """The person in a row of PERSON_COLUMNS."""
    return Person(
        id=row["id"],
        name=row["name"],
        external_id=row["external_id"],
        metadata=row["metadata"],
        face_count=row["face_count"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        is_anonymous=row["is_anonymous"],
    )


def face_from(row: Row, contract: Contract) -> FaceRecord:
    """The face in a row of FACE_COLUMNS."""
    landmarks, digest, image_id = row["landmarks"], row["source_sha256"], row["image_id"]
    return FaceRecord(
        id=str(row["face_id"]),
        person_id=row["person_id"],
        box=(row["box_left"], row["box_top"], row["box_right"], row["box_bottom"]),
        image_width=row["image_width"],
        image_height=row["image_height"],
        landmarks=None if landmarks is None else tuple((x, y) for x, y in landmarks),
        detection_score=row["detection_score"],
        quality=row["quality"],
        source=row["source"],
        contract=contract,
        has_crop=row["has_crop"],
        created_at=row["created_at"],
        source_sha256=None if digest is None else digest.hex(),
        image_id=None if image_id is None else str(image_id),
        external_image_id=row["external_image_id"],
    )
