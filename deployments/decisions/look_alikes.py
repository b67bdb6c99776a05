"""Strict review: which of a person's new faces look more like somebody else."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from deployments.decisions.recognition import similarity
from deployments.gallery_port import GalleryPort
from store.types import Collection

Conflict = Mapping[str, float | str]  # how similar the face is to its own person and to another, and to whom


async def find_look_alikes(
    gallery: GalleryPort,
    tenant: str,
    collection: Collection,
    person_id: str | None,
    contract_id: str,
    embeddings: Sequence[npt.NDArray[np.float32]],
) -> list[Conflict | None]:
    """Return for each of `embeddings`, float32 (512,), why it may not be enrolled for `person_id`, None if it may.

    A face is compared with the person's enrolled faces, with those before it that may be enrolled, and with everybody
    else of the collection. `person_id` is None for a new person. The store is asked for all faces at once.
    """
    if not embeddings:
        return []
    probes = np.stack(embeddings)  # (faces, 512)
    others = await gallery.search(tenant, collection.id, contract_id, probes, 1, exclude_person=person_id)
    enrolled: Sequence[float | None] = [None] * len(embeddings)
    if person_id is not None:
        verified = await gallery.verify(tenant, collection.id, person_id, contract_id, probes)
        enrolled = [None if nearest is None else nearest.similarity for nearest in verified.nearest]
    conflicts: list[Conflict | None] = []
    kept: list[npt.NDArray[np.float32]] = []
    for embedding, best_enrolled, candidates in zip(embeddings, enrolled, others.candidates, strict=True):
        same = [similarity(embedding, other) for other in kept]
        same.extend([] if best_enrolled is None else [best_enrolled])
        # the first face of a person has nothing to be compared with, and is taken
        if same and candidates and max(same) <= candidates[0].similarity:
            conflicts.append(
                {
                    "same_person_similarity": round(max(same), 6),
                    "other_person_similarity": round(candidates[0].similarity, 6),
                    "other_person_id": candidates[0].person.id,
                    "matched_face_id": candidates[0].face_id,
                }
            )
        else:
            conflicts.append(None)
            kept.append(embedding)
    return conflicts
