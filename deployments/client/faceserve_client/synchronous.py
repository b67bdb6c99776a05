"""`Client`: every operation for threads."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, ParamSpec, Self, TypeVar

import httpx2

from faceserve_client.calls import Call, Listing, request_of
from faceserve_client.errors import ConnectionFailed, TimedOut, error_of
from faceserve_client.operations import (
    archives,
    calibrations,
    collections,
    imports,
    person_faces,
    persons,
    recognition,
    service,
)
from faceserve_client.retries import REPEATED, retry_after_s, wait_s
from faceserve_client.settings import Settings, settings_of

LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=100)

P = ParamSpec("P")
T = TypeVar("T")


class Pages(Generic[T]):
    """All items of a list, fetched page by page as they are asked for."""

    def __init__(self, client: "Client", listing: Listing[T]) -> None:
        self._client = client
        self._listing = listing

    def pages(self) -> Iterator[Sequence[T]]:
        """Give one page after the other."""
        cursor: str | None = None
        while True:
            items, cursor = self._client.send(self._listing.page(cursor))
            yield items
            if cursor is None:
                return

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page


class _Operation(Generic[P, T]):
    """An operation as a method of a client, with the signature of the function that makes its call."""

    def __init__(self, operation: Callable[P, Call[T]]) -> None:
        self.operation = operation
        self.__doc__ = operation.__doc__

    def __get__(self, client: "Client", owner: type) -> Callable[P, T]:
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            return client.send(self.operation(*args, **kwargs))

        return run


class _List(Generic[P, T]):
    """A list as a method of a client."""

    def __init__(self, operation: Callable[P, Listing[T]]) -> None:
        self.operation = operation
        self.__doc__ = operation.__doc__

    def __get__(self, client: "Client", owner: type) -> Callable[P, Pages[T]]:
        def run(*args: P.args, **kwargs: P.kwargs) -> Pages[T]:
            return Pages(client, self.operation(*args, **kwargs))

        return run


class Client:
    """The service for threads: connections are kept and may be used by many at once. A context manager.

    `url` and `token` default to FACESERVE_URL and FACESERVE_TOKEN. `timeout_s` and `retries`: see `Settings`.
    `http`: an HTTP client of one's own, for proxies, certificates and tests; it is not closed here.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout_s: float = 60.0,
        retries: int = 3,
        http: httpx2.Client | None = None,
    ) -> None:
        self.settings: Settings = settings_of(url, token, timeout_s, retries)
        self._owns_http = http is None
        self._http = http or httpx2.Client(limits=LIMITS)

    def with_options(self, *, timeout_s: float | None = None, retries: int | None = None) -> "Client":
        """Return a client over the same connections with another patience."""
        timeout_s = self.settings.timeout_s if timeout_s is None else timeout_s
        retries = self.settings.retries if retries is None else retries
        url, token = self.settings.url, self.settings.token
        return Client(url, token, timeout_s=timeout_s, retries=retries, http=self._http)

    def close(self) -> None:
        """Close the connections."""
        if self._owns_http:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def send(self, call: Call[T]) -> T:
        """Carry out a call, with repetitions. Raises StatusError, ConnectionFailed, NotAnImage, OSError."""
        prepared = request_of(call)
        headers = self.settings.headers | prepared.pop("headers", {})
        url = self.settings.url + prepared.pop("url")
        request = self._http.build_request(url=url, headers=headers, timeout=self.settings.timeout_s, **prepared)
        attempt = 0
        while True:
            outcome = self._try(request)
            if isinstance(outcome, httpx2.Response):
                if outcome.is_success or outcome.status_code in call.accepted:
                    return call.reading.read(outcome.content)
                asked_s = retry_after_s(outcome)
                error: Exception = error_of(
                    outcome.status_code, outcome.content, outcome.headers.get("x-request-id"), asked_s
                )
                if outcome.status_code not in REPEATED:
                    raise error
            else:
                error, asked_s = outcome, None
            pause_s = wait_s(attempt, asked_s) if attempt < self.settings.retries else None
            if pause_s is None:
                raise error
            time.sleep(pause_s)
            attempt += 1

    def _try(self, request: httpx2.Request) -> httpx2.Response | ConnectionFailed:
        try:
            return self._http.send(request)
        except httpx2.TimeoutException as error:
            return _because(TimedOut(f"No answer from {self.settings.url} in {self.settings.timeout_s:g} s."), error)
        except httpx2.TransportError as error:
            return _because(ConnectionFailed(f"No answer from {self.settings.url}: {error}."), error)

    health = _Operation(service.health)
    models = _Operation(service.models)
    system = _Operation(service.system)

    create_collection = _Operation(collections.create_collection)
    list_collections = _List(collections.list_collections)
    get_collection = _Operation(collections.get_collection)
    update_collection = _Operation(collections.update_collection)
    delete_collection = _Operation(collections.delete_collection)

    create_person = _Operation(persons.create_person)
    list_persons = _List(persons.list_persons)
    get_person = _Operation(persons.get_person)
    update_person = _Operation(persons.update_person)
    merge_person = _Operation(persons.merge_person)
    delete_person = _Operation(persons.delete_person)

    add_faces = _Operation(person_faces.add_faces)
    list_faces = _List(person_faces.list_faces)
    get_face = _Operation(person_faces.get_face)
    get_face_image = _Operation(person_faces.get_face_image)
    move_face = _Operation(person_faces.move_face)
    delete_face = _Operation(person_faces.delete_face)
    delete_faces = _Operation(person_faces.delete_faces)

    search = _Operation(recognition.search)
    identify_faces = _Operation(recognition.identify_faces)
    verify = _Operation(recognition.verify)

    detect = _Operation(recognition.detect)
    compare = _Operation(recognition.compare)
    embeddings = _Operation(recognition.embeddings)

    plan_import = _Operation(imports.plan_import)

    read_archive = _List(archives.read_archive)
    restore_archive = _Operation(archives.restore_archive)

    start_calibration = _Operation(calibrations.start_calibration)
    advance_calibration = _Operation(calibrations.advance_calibration)
    list_calibrations = _Operation(calibrations.list_calibrations)
    get_calibration = _Operation(calibrations.get_calibration)
    apply_calibration = _Operation(calibrations.apply_calibration)


def _because(error: ConnectionFailed, cause: Exception) -> ConnectionFailed:
    error.__cause__ = cause
    return error
