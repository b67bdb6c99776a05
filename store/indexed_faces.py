"""Operations on faces by themselves: indexed from an image, found by their id alone, claimed by a person."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from store.marks import read, write
from store.opened import OpenGallery
from store.tables import indexed_table
from store.types import FaceRecord, Idempotency, IndexedImage, NewFace


class IndexedFaces(OpenGallery):
    """An open gallery with operations on faces, whoever's they are. A call names at most 5,000 of them."""

    @write
    async def index_faces(
        self,
        tenant: str,
        collection: str,
        image: IndexedImage,
        faces: Sequence[NewFace],
        contract_id: str,
        *,
        idempotency: Idempotency | None = None,
    ) -> tuple[FaceRecord, ...]:
        """Add the faces of an image, each as an anonymous person, whom no list of persons shows.

        An image that was indexed before, by its id, adds nothing: what is left of its faces is returned.
        Raises CollectionModelMismatch, CollectionCapacityExceeded, InvalidValue.
        """
        return await self._write(
            idempotency, "faces", indexed_table.index, tenant, collection, image, faces, contract_id
        )

    @read
    async def get_indexed_face(self, tenant: str, collection: str, id: str) -> FaceRecord:
        """Return the face, of any person. Raises FaceNotFound."""
        return await self._read(indexed_table.get, tenant, collection, id)

    @read
    async def find_faces(self, tenant: str, collection: str, ids: Sequence[str]) -> tuple[FaceRecord, ...]:
        """Return those of these faces that are there, oldest first."""
        return await self._read(indexed_table.find_some, tenant, collection, ids)

    @read
    async def list_all_faces(
        self, tenant: str, collection: str, *, after: str | None = None, limit: int = 50, named: bool = False
    ) -> tuple[FaceRecord, ...]:
        """Return faces of the collection, oldest first, those after the face `after`.

        `named`: without those of anonymous persons. Raises InvalidValue for an `after` that is no id.
        """
        return await self._read(indexed_table.list_page, tenant, collection, after=after, limit=limit, named=named)

    @read
    async def face_embeddings(
        self, tenant: str, collection: str, ids: Sequence[str], contract_id: str
    ) -> Mapping[str, npt.NDArray[np.float32]]:
        """Return embeddings, float32 (512,), of those of these faces that are there. Raises CollectionModelMismatch."""
        return await self._read(indexed_table.embeddings, tenant, collection, ids, contract_id)

    @write
    async def delete_indexed_faces(
        self,
        tenant: str,
        collection: str,
        ids: Sequence[str],
        *,
        anonymous_only: bool = False,
        idempotency: Idempotency | None = None,
    ) -> tuple[FaceRecord, ...]:
        """Delete those of these faces that are there, and return them. `anonymous_only`: none that a person has."""
        return await self._write(
            idempotency, "faces", indexed_table.delete, tenant, collection, ids, anonymous_only=anonymous_only
        )

    @write
    async def claim_faces(
        self, tenant: str, collection: str, person: str, ids: Sequence[str], *, idempotency: Idempotency | None = None
    ) -> tuple[FaceRecord, ...]:
        """Give those of these faces that are an anonymous person's to the person; return them.

        Raises PersonFaceLimitExceeded.
        """
        return await self._write(idempotency, "faces", indexed_table.claim, tenant, collection, person, ids)

    @write
    async def release_faces(
        self,
        tenant: str,
        collection: str,
        person: str,
        ids: Sequence[str] | None,
        *,
        idempotency: Idempotency | None = None,
    ) -> tuple[FaceRecord, ...]:
        """Give these faces of the person, or all for None, to anonymous persons of their own; return them."""
        return await self._write(idempotency, "faces", indexed_table.release, tenant, collection, person, ids)
