"""`faceserve export`: a collection into one file, in constant memory."""

import base64
import os
from pathlib import Path
from typing import Any

import numpy as np

from deployments.commands.archiving.archive import ArchiveWriter
from deployments.commands.errors import CommandFailed
from faceserve_client import AsyncClient
from faceserve_client.models.archives import ArchivedFace

PART = 1000  # faces, or persons, of one file in the archive


async def export(client: AsyncClient, collection_id: str, path: Path) -> dict[str, int]:
    """Write the collection to `path`, which appears once it is whole; return counts.

    Faces first, then persons: no face lacks a person who is still there, and a person who is deleted meanwhile leaves
    faces that a restore passes over. Raises CommandFailed, FaceserveError.
    """
    collection = await client.get_collection(collection_id)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("xb") as file:
            os.chmod(unfinished, 0o600)
            writer = ArchiveWriter(file)
            writer.collection(collection.model_dump(mode="json"))
            part: list[ArchivedFace] = []
            async for page in client.read_archive(collection_id).pages():
                part += page
                if len(part) >= PART:
                    _write(writer, part)
                    part = []
            _write(writer, part)
            persons: list[dict[str, Any]] = []
            async for person in client.list_persons(collection_id, limit=100):
                persons.append(person.model_dump(mode="json", exclude={"face_count", "updated_at"}))
                if len(persons) == PART:
                    writer.persons(persons)
                    persons = []
            if persons:
                writer.persons(persons)
            writer.finish()
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise CommandFailed(f"The archive cannot be written to {path}: {error.strerror}.") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return dict(writer.counts)


def _write(writer: ArchiveWriter, faces: list[ArchivedFace]) -> None:
    if not faces:
        return
    embeddings = np.stack([np.frombuffer(base64.b64decode(face.embedding), "<f4") for face in faces])  # (n, 512)
    writer.faces([face.model_dump(mode="json", exclude={"embedding", "crop"}) for face in faces], embeddings)
    for face in faces:
        if face.crop is not None:
            writer.crop(face.id, base64.b64decode(face.crop))
