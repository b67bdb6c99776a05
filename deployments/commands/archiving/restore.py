"""`faceserve restore`: an archive into a collection, of this or another tenant or server."""

import base64
from collections import Counter
from typing import Any

from deployments.commands.archiving.archive import Archive
from deployments.commands.errors import CommandFailed
from faceserve_client import AsyncClient, CollectionNotFound
from faceserve_client.models.collections import Collection

AT_ONCE = 100  # what one request takes


class OtherContract(CommandFailed):
    """The archive's embeddings are of another recogniser than the service's or the collection's."""


async def restore(client: AsyncClient, archive: Archive, collection_id: str) -> dict[str, int]:
    """Add what the collection lacks of an archive, and create the collection where it is not there; return counts.

    May be killed and repeated. Raises OtherContract before anything is written, FaceserveError.
    """
    contract = archive.collection["embedding_contract_id"]
    try:
        collection = await client.get_collection(collection_id)
    except CollectionNotFound:
        _require(contract, (await client.models()).embedding_contract_id, "the service runs", archive)
        collection = await _create(client, archive.collection, collection_id)
    _require(contract, collection.embedding_contract_id, "the collection has", archive)
    total: Counter[str] = Counter()
    for persons in archive.persons():
        for some in _parts(persons):
            total += _counts(await client.restore_archive(collection_id, contract, persons=some))
    for faces, embeddings, crops in archive.faces():
        whole = [
            face
            | {"embedding": base64.b64encode(embedding.astype("<f4").tobytes()).decode()}
            | ({"crop": base64.b64encode(crops[face["id"]]).decode()} if face["id"] in crops else {})
            for face, embedding in zip(faces, embeddings, strict=True)
        ]
        for some in _parts(whole):
            total += _counts(await client.restore_archive(collection_id, contract, faces=some))
    return {name: total[name] for name in ("persons", "faces", "present", "skipped")}


async def _create(client: AsyncClient, described: Any, collection_id: str) -> Collection:
    return await client.create_collection(
        collection_id,
        described["name"],
        description=described["description"],
        threshold=described["default_threshold"],
        save_face_crops=described["save_face_crops"],
        metadata=described["metadata"],
        detection=described["detection"],
        search={name: described[name] for name in ("capacity_rows", "max_faces_per_person", "load_policy")},
    )


def _require(expected: str, found: str, whose: str, archive: Archive) -> None:
    if found != expected:
        model = archive.collection["model_id"]
        raise OtherContract(
            f"The archive's embeddings are of {model} (contract {expected}); {whose} contract {found}. "
            f"Embeddings of two models cannot be compared. "
            f"Run a service with {model}, or enrol the photos with `faceserve import`."
        )


def _parts(items: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE)]


def _counts(answer: Any) -> Counter[str]:
    return Counter({name: getattr(answer, name) for name in ("persons", "faces", "present", "skipped")})
