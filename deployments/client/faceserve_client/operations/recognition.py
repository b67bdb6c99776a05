"""Faces of photos: search, identify, verify, compare, detect, embed."""

from collections.abc import Sequence

from faceserve_client.calls import Call, given, path_of, whole
from faceserve_client.images import Image
from faceserve_client.models.faces import CompareResponse, DetectResponse, EmbeddingsResponse
from faceserve_client.models.search import IdentifyResponse, SearchResponse, VerifyResponse


def search(
    collection_id: str,
    image: Image | None = None,
    *,
    embedding: Sequence[float] | None = None,
    face_id: str | None = None,
    limit: int | None = None,
    threshold: float | None = None,
    max_stranger_rate: float | None = None,
) -> Call[SearchResponse]:
    """Return the persons who look most like the face of an image, like an embedding or like an enrolled face.

    Exactly one of the three is given. Raises NoFaceInImage, and ValueError for another number of them.
    """
    if sum(probe is not None for probe in (image, embedding, face_id)) != 1:
        raise ValueError("Expected one of image, embedding and face_id.")
    path = path_of("collections", collection_id, "search")
    if image is None:
        numbers = None if embedding is None else [float(number) for number in embedding]
        decided = {"threshold": threshold, "max_stranger_rate": max_stranger_rate}
        body = given(embedding=numbers, face_id=face_id, limit=limit, **decided)
        return Call("POST", path, whole(SearchResponse), body=body)
    return Call(
        "POST",
        path,
        whole(SearchResponse),
        images=[("image", image)],
        options=given(limit=limit, threshold=threshold, max_stranger_rate=max_stranger_rate),
    )


def identify_faces(
    collection_id: str,
    image: Image,
    *,
    limit: int | None = None,
    max_faces: int | None = None,
    threshold: float | None = None,
    max_stranger_rate: float | None = None,
) -> Call[IdentifyResponse]:
    """Return every face of a group photo and who it is."""
    return Call(
        "POST",
        path_of("collections", collection_id, "identify"),
        whole(IdentifyResponse),
        images=[("image", image)],
        options=given(limit=limit, max_faces=max_faces, threshold=threshold, max_stranger_rate=max_stranger_rate),
    )


def verify(
    collection_id: str,
    person_id: str,
    image: Image,
    *,
    threshold: float | None = None,
    max_stranger_rate: float | None = None,
) -> Call[VerifyResponse]:
    """Return whether the face of an image is an enrolled person. Raises NoFaceInImage, PersonNotFound."""
    return Call(
        "POST",
        path_of("collections", collection_id, "persons", person_id, "verify"),
        whole(VerifyResponse),
        images=[("image", image)],
        options=given(threshold=threshold, max_stranger_rate=max_stranger_rate),
    )


def detect(image: Image, *, max_faces: int | None = None, collection_id: str | None = None) -> Call[DetectResponse]:
    """Return every face of an image, largest first."""
    return Call(
        "POST",
        path_of("detect"),
        whole(DetectResponse),
        images=[("image", image)],
        options=given(max_faces=max_faces, collection_id=collection_id),
    )


def compare(
    source: Image, target: Image, *, threshold: float | None = None, collection_id: str | None = None
) -> Call[CompareResponse]:
    """Return whether two images show the same person. Raises NoFaceInImage."""
    return Call(
        "POST",
        path_of("compare"),
        whole(CompareResponse),
        images=[("source", source), ("target", target)],
        options=given(threshold=threshold, collection_id=collection_id),
        as_form=True,
    )


def embeddings(image: Image, *, collection_id: str | None = None) -> Call[EmbeddingsResponse]:
    """Return the embedding of an image's one selected face. Raises NoFaceInImage."""
    return Call(
        "POST",
        path_of("embeddings"),
        whole(EmbeddingsResponse),
        images=[("image", image)],
        options=given(collection_id=collection_id),
    )
