"""The service under test: the real application over the real store, called in process, as a client sees it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from configs.secrets import TokenSecrets
from configs.settings import ApiSettings, TokenSettings
from configs.tuning import IngressTuning
from deployments.gallery_port import GalleryPort
from deployments.http.access.tokens import TokenVerifier
from deployments.http.admission import Admission
from deployments.http.app import create_api
from deployments.ports import EmbedderPort, Services
from deployments.telemetry.metrics import Meters, NoMeters
from store.gallery import Gallery
from tests.deployments.described import Described
from tests.deployments.tokens import SECRET, token

SECRETS = TokenSecrets(secret=SecretStr(SECRET))
# the beginning of a form with an image
PART = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'


@dataclass(frozen=True, slots=True)
class FixedTuning:
    """The knobs of a test, which stay as they are."""

    tuning: IngressTuning


def in_process(gallery: Gallery) -> GalleryPort:
    """Return the port to a gallery of this process."""

    async def execute(operation: str, args: Sequence[Any], kwargs: Mapping[str, Any], /) -> Any:
        return await getattr(gallery, operation)(*args, **kwargs)

    return GalleryPort(execute)


def application(
    embedder: EmbedderPort,
    gallery: Gallery,
    *,
    settings: ApiSettings | None = None,
    tuning: IngressTuning | None = None,
    secrets: TokenSecrets = SECRETS,
    echoes_request_id: bool = True,
    meters: Meters | None = None,
) -> FastAPI:
    settings = settings or ApiSettings()
    return create_api(
        Services(embedder, in_process(gallery), FixedTuning(tuning or IngressTuning())),
        TokenVerifier(secrets, TokenSettings()),
        secrets.shared_seed(),
        settings,
        admission=Admission(settings.max_in_flight),
        meters=meters or NoMeters(),
        echoes_request_id=echoes_request_id,
    )


def client(app: FastAPI, bearer: str | None, *, described: Described | None = None) -> httpx.AsyncClient:
    """Return a client of `app` with this token. With `described` it fails the test on any undescribed response."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://faceserve.test",
        headers={} if bearer is None else {"Authorization": f"Bearer {bearer}"},
        event_hooks={} if described is None else {"response": [described.check]},
        trust_env=False,
    )


@dataclass
class Clients:
    """Makes clients of applications, each application once; closes them all at the end of the test."""

    gallery: Gallery
    embedder: EmbedderPort
    tenant: str
    apps: dict[Any, tuple[FastAPI, Described]]
    opened: list[httpx.AsyncClient] = field(default_factory=list)

    def __call__(
        self,
        *,
        embedder: EmbedderPort | None = None,
        gallery: Gallery | None = None,
        settings: ApiSettings | None = None,
        tuning: IngressTuning | None = None,
        secrets: TokenSecrets = SECRETS,
        bearer: str | None = None,
        has_token: bool = True,
        **claims: Any,
    ) -> httpx.AsyncClient:
        """Return a client with `bearer`, or a token of the test's tenant with `claims`, or none."""
        app, described = self._app(
            embedder or self.embedder,
            gallery or self.gallery,
            settings or ApiSettings(),
            tuning or IngressTuning(),
            secrets,
        )
        if has_token and bearer is None:
            bearer = token(**({"tenant": self.tenant} | claims))
        self.opened.append(client(app, bearer, described=described))
        return self.opened[-1]

    def app(self) -> FastAPI:
        """Return the application that clients are of by default."""
        return self._app(self.embedder, self.gallery, ApiSettings(), IngressTuning(), SECRETS)[0]

    def _app(
        self,
        embedder: EmbedderPort,
        gallery: Gallery,
        settings: ApiSettings,
        tuning: IngressTuning,
        secrets: TokenSecrets,
    ) -> tuple[FastAPI, Described]:
        key = (id(embedder), id(gallery), settings, tuning, secrets)
        if key not in self.apps:
            app = application(embedder, gallery, settings=settings, tuning=tuning, secrets=secrets)
            # the services are kept alive with the app, so that an id is never given out twice
            self.apps[key] = app, Described(app)
        return self.apps[key]


def multipart(field: str, *images: bytes, **options: Any) -> dict[str, Any]:
    """Return the arguments of a request with `images` as files, and `options` as form fields."""
    files = [(field, (f"{number}.jpg", image, "image/jpeg")) for number, image in enumerate(images)]
    return {"files": files, "data": options}


def raw(image: bytes, **options: Any) -> dict[str, Any]:
    """Return the arguments of a request whose body is the image, with `options` in the query."""
    return {"content": image, "headers": {"content-type": "image/jpeg"}, "params": options}


def base64_json(field: str, *images: bytes, many: bool = False, **options: Any) -> dict[str, Any]:
    """Return the arguments of a request with `images` as base64 in JSON."""
    texts = [base64.b64encode(image).decode() for image in images]
    return {"json": {field: texts if many else texts[0], **options}}


async def create_collection(api: httpx.AsyncClient, id: str = "staff", **changes: Any) -> dict[str, Any]:
    """Create a collection; return its body."""
    response = await api.post("/v1/collections", json={"id": id, "name": id.title(), **changes})
    assert response.status_code == 201, response.text
    return dict(response.json()["collection"])


async def enroll(api: httpx.AsyncClient, *images: bytes, collection: str = "staff", **options: Any) -> dict[str, Any]:
    """Enrol a person; return the response's body."""
    response = await api.post(f"/v1/collections/{collection}/persons", **multipart("images", *images, **options))
    assert response.status_code == 201, response.text
    return dict(response.json())


async def pages(api: httpx.AsyncClient, url: str, name: str, limit: int) -> Sequence[list[dict[str, Any]]]:
    """Return all pages of a list, from the first to the one without a cursor."""
    found = []
    cursor: str | None = None
    while cursor is not None or not found:
        response = await api.get(url, params={"limit": limit} | ({} if cursor is None else {"cursor": cursor}))
        assert response.status_code == 200, response.text
        found.append(response.json()[name])
        cursor = response.json()["next_cursor"]
    return found


def code_of(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the error code of a response."""
    return response.status_code, response.json()["error"]["code"]


def message_of(response: httpx.Response) -> str:
    return str(response.json()["error"]["message"])


async def counts(api: httpx.AsyncClient) -> tuple[int, int]:
    """Return how many persons and faces the collection `staff` says it has."""
    collection = (await api.get("/v1/collections/staff")).json()["collection"]
    return collection["person_count"], collection["face_count"]


async def face_ids(api: httpx.AsyncClient, person: str) -> list[str]:
    """Return the faces of a person of `staff`, oldest first."""
    faces = (await api.get(f"/v1/collections/staff/persons/{person}/faces")).json()["faces"]
    return [face["id"] for face in faces]
