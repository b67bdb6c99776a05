"""The gallery as its users see it: each operation with its own signature, carried out by whoever holds the gallery."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from store.gallery import Gallery
from store.marks import operations_of

P = ParamSpec("P")
T = TypeVar("T")

GALLERY_OPERATIONS = operations_of(Gallery)  # their names, and which of them only read


class Execute(Protocol):
    """Carries out an operation of the gallery, by its name."""

    def __call__(self, operation: str, args: Sequence[Any], kwargs: Mapping[str, Any], /) -> Awaitable[Any]: ...


class _PassedOn(Generic[P, T]):
    """An operation of the gallery as a method of the port: the same signature, checked where it is called."""

    def __init__(self, operation: Callable[Concatenate[Gallery, P], Coroutine[Any, Any, T]]) -> None:
        self._name = operation.__name__

    def __get__(self, port: "GalleryPort", owner: type) -> Callable[P, Coroutine[Any, Any, T]]:
        async def ask(*args: P.args, **kwargs: P.kwargs) -> T:
            outcome: T = await port.execute(self._name, args, kwargs)
            return outcome

        return ask


class GalleryPort:
    """The operations of `Gallery`, all that are marked as such there; `execute` carries them out."""

    def __init__(self, execute: Execute) -> None:
        self.execute = execute

    ping = _PassedOn(Gallery.ping)
    statistics = _PassedOn(Gallery.statistics)
    create_collection = _PassedOn(Gallery.create_collection)
    get_collection = _PassedOn(Gallery.get_collection)
    list_collections = _PassedOn(Gallery.list_collections)
    update_collection = _PassedOn(Gallery.update_collection)
    delete_collection = _PassedOn(Gallery.delete_collection)
    prepare_enrollment = _PassedOn(Gallery.prepare_enrollment)
    enroll_person = _PassedOn(Gallery.enroll_person)
    get_person = _PassedOn(Gallery.get_person)
    list_persons = _PassedOn(Gallery.list_persons)
    update_person = _PassedOn(Gallery.update_person)
    delete_person = _PassedOn(Gallery.delete_person)
    merge_person = _PassedOn(Gallery.merge_person)
    add_faces = _PassedOn(Gallery.add_faces)
    list_faces = _PassedOn(Gallery.list_faces)
    get_face = _PassedOn(Gallery.get_face)
    archive_page = _PassedOn(Gallery.archive_page)
    restore = _PassedOn(Gallery.restore)
    known_sources = _PassedOn(Gallery.known_sources)
    face_crop = _PassedOn(Gallery.face_crop)
    face_embedding = _PassedOn(Gallery.face_embedding)
    delete_face = _PassedOn(Gallery.delete_face)
    delete_faces = _PassedOn(Gallery.delete_faces)
    move_face = _PassedOn(Gallery.move_face)
    search = _PassedOn(Gallery.search)
    verify = _PassedOn(Gallery.verify)
    index_faces = _PassedOn(Gallery.index_faces)
    get_indexed_face = _PassedOn(Gallery.get_indexed_face)
    find_faces = _PassedOn(Gallery.find_faces)
    list_all_faces = _PassedOn(Gallery.list_all_faces)
    face_embeddings = _PassedOn(Gallery.face_embeddings)
    delete_indexed_faces = _PassedOn(Gallery.delete_indexed_faces)
    claim_faces = _PassedOn(Gallery.claim_faces)
    release_faces = _PassedOn(Gallery.release_faces)
    start_calibration = _PassedOn(Gallery.start_calibration)
    advance_calibration = _PassedOn(Gallery.advance_calibration)
    apply_calibration = _PassedOn(Gallery.apply_calibration)
    get_calibration = _PassedOn(Gallery.get_calibration)
    list_calibrations = _PassedOn(Gallery.list_calibrations)
    calibration_scores = _PassedOn(Gallery.calibration_scores)
