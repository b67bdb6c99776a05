"""Values to the JSON of responses. Numbers are rounded to what they mean: pixels to 1/1000, scores to 1e-6."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from deployments.decisions.recognition import Identity
from encoders.types import Analysis, Box, Face, ModelDescription
from store.types import Candidate, Collection, FaceRecord, Person


def bounding_box(box: Box, width: int, height: int) -> dict[str, Any]:
    """Return `box` cut to an image of `width` x `height`, in whole pixels and as fractions of the image."""
    left = max(0, min(width, round(box.left)))
    top = max(0, min(height, round(box.top)))
    right = max(left, min(width, round(box.right)))
    bottom = max(top, min(height, round(box.bottom)))
    return {
        "pixels": {"x": left, "y": top, "width": right - left, "height": bottom - top},
        "normalized": {
            "left": round(left / width, 8),
            "top": round(top / height, 8),
            "width": round((right - left) / width, 8),
            "height": round((bottom - top) / height, 8),
        },
    }


def observed_face(face: Face, analysis: Analysis) -> dict[str, Any]:
    """Return a face seen in an image, without its embedding."""
    quality = face.quality
    return {
        "bbox": bounding_box(face.box, analysis.width, analysis.height),
        "landmarks": [[round(float(x), 3), round(float(y), 3)] for x, y in face.landmarks],
        "detection_score": unit(face.detection_score),
        "quality": {
            "score": unit(quality.score),
            "sharpness": unit(quality.sharpness),
            "brightness": unit(quality.brightness),
            "pose": unit(quality.pose),
        },
        "rotation": analysis.rotation,
    }


def embedded_face(face: Face, analysis: Analysis) -> dict[str, Any]:
    """Return a face seen in an image, with its embedding."""
    assert face.embedding is not None
    return observed_face(face, analysis) | {"embedding": [round(number, 8) for number in face.embedding.tolist()]}


def collection_body(collection: Collection) -> dict[str, Any]:
    """Return a collection."""
    contract, detection = collection.contract, collection.detection
    return {
        "id": collection.id,
        "name": collection.name,
        "description": collection.description,
        "default_threshold": round(collection.threshold, 6),
        "model_id": contract.model_id,
        "model_version": contract.model_version,
        "model_digest": contract.model_digest,
        "embedding_dimension": contract.dimension,
        "preprocessing_version": contract.preprocessing_version,
        "embedding_contract_id": contract.id,
        "search_profile": collection.search_profile,
        "capacity_rows": collection.capacity_rows,
        "max_faces_per_person": collection.max_faces_per_person,
        "load_policy": collection.load_policy,
        "search_revision": collection.search_revision,
        "index_state": collection.index_state,
        "save_face_crops": collection.save_face_crops,
        "metadata": dict(collection.metadata),
        "person_count": collection.person_count,
        "face_count": collection.face_count,
        "created_at": timestamp(collection.created_at),
        "updated_at": timestamp(collection.updated_at),
        "detection": {
            "input_sizes": [list(size) for size in detection.input_sizes],
            "threshold": round(detection.threshold, 6),
            "nms_threshold": round(detection.nms_threshold, 6),
            "single_face_selection": detection.single_face_selection,
        },
        "detection_revision": collection.detection_revision,
    }


def person_body(person: Person) -> dict[str, Any]:
    """Return a person."""
    return {
        "id": person.id,
        "name": person.name,
        "external_id": person.external_id,
        "metadata": dict(person.metadata),
        "face_count": person.face_count,
        "created_at": timestamp(person.created_at),
        "updated_at": timestamp(person.updated_at),
    }


def face_body(face: FaceRecord) -> dict[str, Any]:
    """Return an enrolled face."""
    contract = face.contract
    return {
        "id": face.id,
        "person_id": face.person_id,
        "bounding_box": bounding_box(Box(*face.box), face.image_width, face.image_height),
        "landmarks": None if face.landmarks is None else [[round(x, 3), round(y, 3)] for x, y in face.landmarks],
        "detection_score": unit(face.detection_score),
        "quality": {name: unit(face.quality.get(name, 0.0)) for name in ("score", "sharpness", "brightness", "pose")},
        "rotation": int(face.quality.get("rotation", 0)),
        "model_id": contract.model_id,
        "model_version": contract.model_version,
        "model_digest": contract.model_digest,
        "preprocessing_version": contract.preprocessing_version,
        "embedding_source": face.source,
        "embedding_contract_id": contract.id,
        "has_crop": face.has_crop,
        "created_at": timestamp(face.created_at),
    }


def match_body(candidate: Candidate) -> dict[str, Any]:
    """Return a person found."""
    return {
        "person": person_body(candidate.person),
        "similarity": round(candidate.similarity, 6),
        "matched_face_id": candidate.face_id,
    }


def identity_body(
    face: Face, analysis: Analysis, identity: Identity, candidates: Sequence[Candidate]
) -> dict[str, Any]:
    """Return a face of a group photo and who it is."""
    named = identity.best if identity.decision != "no_match" else None
    return {
        "face": observed_face(face, analysis),
        "decision": identity.decision,
        "person": None if named is None else person_body(named.person),
        "similarity": None if named is None else round(named.similarity, 6),
        "candidates": [match_body(candidate) for candidate in candidates],
        "runner_up": None if identity.runner_up is None else match_body(identity.runner_up),
        "margin": None if identity.margin is None else round(identity.margin, 6),
    }


def model_components(model: ModelDescription) -> list[dict[str, Any]]:
    """Return the model files that run."""
    return [
        {
            "model_id": model.pack,
            "model_version": model.version,
            "task": component.task,
            "sha256": component.sha256,
            "file": component.file,
            "input_size": None if component.input_size is None else list(component.input_size),
            "embedding_dimension": component.embedding_dimension,
            "preprocessing_version": (
                model.contract.preprocessing_version if component.task == "recognition" else None
            ),
        }
        for component in model.components
    ]


def model_license(model: ModelDescription) -> dict[str, Any]:
    """Return the terms under which the models may be used."""
    return {"text": model.licence, "commercial_use": model.commercial_use}


def model_summary(model: ModelDescription) -> dict[str, Any]:
    """Return the models that run, and the contract that their embeddings follow."""
    contract = model.contract
    return {
        "model_id": contract.model_id,
        "model_version": contract.model_version,
        "model_digest": contract.model_digest,
        "embedding_dimension": contract.dimension,
        "embedding_contract_id": contract.id,
        "preprocessing_version": contract.preprocessing_version,
        "provider": model.provider,
        "models": model_components(model),
        "license": model_license(model),
    }


def page_body(name: str, items: Sequence[Mapping[str, Any]], next_cursor: str | None) -> dict[str, Any]:
    """Return one page of a list."""
    return {name: list(items), "next_cursor": next_cursor}


def timestamp(moment: datetime) -> str:
    """Return `moment` as ISO 8601 in UTC, with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unit(value: float) -> float:
    """Return `value` held to [0, 1] and rounded to 1e-6."""
    return round(min(1.0, max(0.0, float(value))), 6)
