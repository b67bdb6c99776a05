"""The gallery: every operation on collections, persons and faces, one method each.

Reads may run twice when a connection is lost; a write runs once, in one transaction, and is acknowledged after its
commit. With an `Idempotency` a repeated write returns the first outcome and changes nothing.

Whatever is not there, or is another tenant's, raises CollectionNotFound, PersonNotFound or FaceNotFound. Any method
raises StoreUnavailable while the database is away.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from store.calibration import calibration_table
from store.calibration.advancing import advance
from store.indexed_faces import IndexedFaces
from store.marks import read, write
from store.search.searching import search_collection, verify_person
from store.search.statements import By
from store.tables import archive_table, collection_table, enrollment, face_table, person_table, source_table
from store.types import (
    AppliedCalibration,
    ArchivedFace,
    Calibration,
    CalibrationScores,
    Collection,
    Enrollment,
    FaceRecord,
    Idempotency,
    KnownSources,
    NewCollection,
    NewFace,
    NewPerson,
    Person,
    Replay,
    RestoreCounts,
    RestoredFace,
    RestoredPerson,
    SearchOutcome,
    Statistics,
    Verification,
)


class Gallery(IndexedFaces):
    """An open gallery with its operations."""

    @read
    async def ping(self) -> None:
        """Return if the database answers."""
        await self._database.read(lambda connection: connection.execute("select 1"))

    @read
    async def statistics(self, tenant: str, *, granted: Sequence[str] | None = None) -> Statistics:
        """Return how much the tenant has stored. `granted`: as for `list_collections`."""
        return await self._read(collection_table.statistics, tenant, granted=granted)

    @write
    async def create_collection(
        self, tenant: str, new: NewCollection, *, idempotency: Idempotency | None = None
    ) -> Collection:
        """Create a collection. Raises CollectionExists."""
        return await self._write(idempotency, "collection", collection_table.create, tenant, new)

    @read
    async def get_collection(self, tenant: str, id: str) -> Collection:
        """Return the collection."""
        return await self._read(collection_table.get, tenant, id)

    @read
    async def list_collections(
        self, tenant: str, *, after: str | None = None, limit: int = 50, granted: Sequence[str] | None = None
    ) -> tuple[Collection, ...]:
        """Return collections by ascending id, those after `after`. `granted`: ids or globs with * and ?."""
        return await self._read(collection_table.list_page, tenant, after=after, limit=limit, granted=granted)

    @write
    async def update_collection(
        self, tenant: str, id: str, changes: Mapping[str, Any], *, idempotency: Idempotency | None = None
    ) -> Collection:
        """Change properties, see `CollectionProperties`. Raises CollectionCapacityExceeded, InvalidValue."""
        return await self._write(idempotency, "collection", collection_table.update, tenant, id, changes)

    @write
    async def delete_collection(
        self, tenant: str, id: str, *, force: bool = False, idempotency: Idempotency | None = None
    ) -> None:
        """Delete the collection; the index keeper removes its rows. Raises CollectionNotEmpty unless `force`."""
        await self._write(idempotency, "nothing", collection_table.delete, tenant, id, force=force)

    @read
    async def prepare_enrollment(
        self, tenant: str, collection: str, *, person: str | None = None, idempotency: Idempotency | None = None
    ) -> Collection | Replay:
        """Return the collection that somebody is to be enrolled in, or what was already done under the key.

        `person`: who must be there already. Raises IdempotencyKeyReused.
        """
        return await self._read(enrollment.prepare, tenant, collection, person, idempotency)

    @write
    async def enroll_person(
        self,
        tenant: str,
        collection: str,
        new: NewPerson,
        faces: Sequence[NewFace],
        contract_id: str,
        *,
        idempotency: Idempotency | None = None,
    ) -> Enrollment:
        """Create a person with faces. Raises PersonExists, ExternalIdExists, and as `add_faces`."""
        return await self._write(
            idempotency, "enrollment", enrollment.enroll_person, tenant, collection, new, faces, contract_id
        )

    @read
    async def get_person(self, tenant: str, collection: str, id: str) -> Person:
        """Return the person."""
        return await self._read(person_table.get, tenant, collection, id)

    @read
    async def list_persons(
        self, tenant: str, collection: str, *, after: str | None = None, limit: int = 50, search: str | None = None
    ) -> tuple[Person, ...]:
        """Return persons by ascending id, those after `after`. `search`: part of an id, name or external id."""
        return await self._read(person_table.list_page, tenant, collection, after=after, limit=limit, search=search)

    @write
    async def update_person(
        self,
        tenant: str,
        collection: str,
        id: str,
        changes: Mapping[str, Any],
        *,
        idempotency: Idempotency | None = None,
    ) -> Person:
        """Change name, external_id or metadata. Raises ExternalIdExists, InvalidValue."""
        return await self._write(idempotency, "person", person_table.update, tenant, collection, id, changes)

    @write
    async def delete_person(
        self, tenant: str, collection: str, id: str, *, idempotency: Idempotency | None = None
    ) -> None:
        """Delete the person with all faces."""
        await self._write(idempotency, "nothing", enrollment.delete_person, tenant, collection, id)

    @write
    async def merge_person(
        self, tenant: str, collection: str, source: str, target: str, *, idempotency: Idempotency | None = None
    ) -> Person:
        """Give all faces of `source` to `target`, which is returned; `source` is deleted.

        Raises PersonFaceLimitExceeded, InvalidValue.
        """
        return await self._write(idempotency, "person", enrollment.merge_person, tenant, collection, source, target)

    @write
    async def add_faces(
        self,
        tenant: str,
        collection: str,
        person: str,
        faces: Sequence[NewFace],
        contract_id: str,
        *,
        idempotency: Idempotency | None = None,
    ) -> tuple[FaceRecord, ...]:
        """Add faces to the person.

        Raises CollectionModelMismatch, CollectionCapacityExceeded, PersonFaceLimitExceeded, InvalidValue.
        """
        return await self._write(
            idempotency, "faces", enrollment.add_faces, tenant, collection, person, faces, contract_id
        )

    @read
    async def list_faces(
        self, tenant: str, collection: str, person: str, *, after: str | None = None, limit: int = 50
    ) -> tuple[FaceRecord, ...]:
        """Return the person's faces, oldest first, those after the face `after`."""
        return await self._read(face_table.list_page, tenant, collection, person, after=after, limit=limit)

    @read
    async def get_face(self, tenant: str, collection: str, person: str, id: str) -> FaceRecord:
        """Return the face."""
        return await self._read(face_table.get, tenant, collection, person, id)

    @read
    async def archive_page(
        self, tenant: str, collection: str, *, after: int = 0, limit: int = 100
    ) -> tuple[ArchivedFace, ...]:
        """Return faces with all that is kept of them, in the order of enrolment, those after a position."""
        return await self._read(archive_table.page, tenant, collection, after=after, limit=limit)

    @write
    async def restore(
        self,
        tenant: str,
        collection: str,
        contract_id: str,
        persons: Sequence[RestoredPerson],
        faces: Sequence[RestoredFace],
        *,
        idempotency: Idempotency | None = None,
    ) -> RestoreCounts:
        """Add what the collection lacks of an archive; raises as `archive_table.restore`."""
        return await self._write(
            idempotency, "restored", archive_table.restore, tenant, collection, contract_id, persons, faces
        )

    @read
    async def known_sources(
        self, tenant: str, collection: str, sources: Sequence[str], person_ids: Sequence[str]
    ) -> KnownSources:
        """Return which of `sources`, sha256 in hex, and of `person_ids` the collection has. Raises InvalidValue."""
        return await self._read(source_table.known, tenant, collection, sources, person_ids)

    @read
    async def face_crop(self, tenant: str, collection: str, person: str, id: str) -> bytes:
        """Return the saved JPEG of the face. Raises FaceImageNotFound."""
        return await self._read(face_table.crop, tenant, collection, person, id)

    @read
    async def face_embedding(self, tenant: str, collection: str, id: str, contract_id: str) -> npt.NDArray[np.float32]:
        """Return the embedding, float32 (512,), of a face of any person. Raises CollectionModelMismatch."""
        return await self._read(face_table.embedding, tenant, collection, id, contract_id)

    @write
    async def delete_face(
        self, tenant: str, collection: str, person: str, id: str, *, idempotency: Idempotency | None = None
    ) -> None:
        """Delete the face."""
        await self._write(idempotency, "nothing", enrollment.delete_face, tenant, collection, person, id)

    @write
    async def delete_faces(
        self,
        tenant: str,
        collection: str,
        person: str,
        ids: Sequence[str] | None,
        *,
        idempotency: Idempotency | None = None,
    ) -> int:
        """Delete these faces, or all for None; return how many there were. Unknown ids are passed over."""
        return await self._write(idempotency, "count", enrollment.delete_faces, tenant, collection, person, ids)

    @write
    async def move_face(
        self,
        tenant: str,
        collection: str,
        person: str,
        id: str,
        to_person: str,
        *,
        idempotency: Idempotency | None = None,
    ) -> FaceRecord:
        """Give the face to another person of the collection. Raises PersonFaceLimitExceeded."""
        return await self._write(idempotency, "face", enrollment.move_face, tenant, collection, person, id, to_person)

    @read
    async def search(
        self,
        tenant: str,
        collection: str,
        contract_id: str,
        probes: npt.NDArray[np.float32],
        limit: int,
        *,
        by: By = "person",
        exclude_person: str | None = None,
        exactly: bool = False,
    ) -> SearchOutcome:
        """Return for each of `probes`, float32 (n, 512), the `limit` nearest persons, most similar first.

        `by`: "face" names every near face, and so a person as often as they have one. `exactly`: never through the
        index, which takes a large collection the longer. Raises CollectionModelMismatch, InvalidValue.
        """
        return await search_collection(
            self._database,
            tenant,
            collection,
            contract_id,
            probes,
            limit=limit,
            exclude_person=exclude_person,
            by=by,
            settings=self._settings,
            exactly=exactly,
            find_signs=self._signs.get,
        )

    @read
    async def verify(
        self, tenant: str, collection: str, person: str, contract_id: str, probes: npt.NDArray[np.float32]
    ) -> Verification:
        """Return for each of `probes`, float32 (n, 512), the person's nearest face. Raises CollectionModelMismatch."""
        return await self._read(verify_person, tenant, collection, person, contract_id, probes)

    @write
    async def start_calibration(
        self, tenant: str, collection: str, persons: int, *, idempotency: Idempotency | None = None
    ) -> Calibration:
        """Begin to compare up to `persons` random persons with everybody else. Raises InvalidValue."""
        return await self._write(idempotency, "calibration", calibration_table.start, tenant, collection, persons)

    @write
    async def advance_calibration(self, tenant: str, collection: str, id: str, budget_s: float) -> Calibration:
        """Compare for about `budget_s` seconds, or to the end; may be repeated. Raises CalibrationNotFound."""
        await advance(self._database, tenant, collection, id, budget_s)
        return await self.get_calibration(tenant, collection, id)

    @write
    async def apply_calibration(
        self,
        tenant: str,
        collection: str,
        threshold: float,
        applied: AppliedCalibration,
        *,
        idempotency: Idempotency | None = None,
    ) -> Collection:
        """Set the threshold of the collection and what its scores mean. Raises CalibrationNotFound."""
        return await self._write(
            idempotency, "collection", calibration_table.apply, tenant, collection, threshold, applied
        )

    @read
    async def get_calibration(self, tenant: str, collection: str, id: str) -> Calibration:
        """Return the calibration. Raises CalibrationNotFound."""
        return await self._read(calibration_table.get, tenant, collection, id)

    @read
    async def list_calibrations(self, tenant: str, collection: str) -> tuple[Calibration, ...]:
        """Return the calibrations of the collection that are kept, at most 20, newest first."""
        return await self._read(calibration_table.list_all, tenant, collection)

    @read
    async def calibration_scores(self, tenant: str, collection: str, id: str) -> CalibrationScores:
        """Return what the calibration has found so far. Raises CalibrationNotFound."""
        return await self._read(calibration_table.scores, tenant, collection, id)
