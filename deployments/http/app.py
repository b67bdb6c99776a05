"""The HTTP application as a function of its collaborators. Knows nothing of Ray."""

from dataclasses import replace

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from configs.settings import ApiSettings
from deployments.console.files import read_page
from deployments.console.route import console_router
from deployments.http.access.requirement import refuse_unguarded
from deployments.http.access.tokens import TokenVerifier
from deployments.http.admission import Admission, AdmittedEmbedder
from deployments.http.bodies.arrival import BodyLimits
from deployments.http.bodies.held_bytes import HeldBytes
from deployments.http.context import ApiContext
from deployments.http.cursors import CursorCodec
from deployments.http.health import HealthCheck
from deployments.http.middleware import Gatekeeper
from deployments.http.openapi import install_openapi
from deployments.http.outcomes import Outcomes
from deployments.http.problems import install_handlers
from deployments.http.recent import RecentCollections
from deployments.http.routes import (
    archives,
    calibrations,
    collections,
    faces,
    imports,
    person_faces,
    persons,
    search,
    system,
)
from deployments.http.swagger import docs_router
from deployments.ports import Services
from deployments.telemetry.metrics import Meters

DESCRIPTION = """
Enrol people from photos, then ask who is in another photo.

Every operation but `/v1/health` takes `Authorization: Bearer TOKEN`, a JSON Web Token with a tenant and scopes.
Images come as multipart fields, as the body itself (`Content-Type: image/jpeg`, options in the query), or as base64
in JSON. Similarities are cosines, -1 to 1.
"""


def create_api(
    services: Services,
    verifier: TokenVerifier,
    seed: bytes,
    settings: ApiSettings,
    *,
    admission: Admission,
    meters: Meters,
    echoes_request_id: bool,
) -> FastAPI:
    """Return the ASGI application.

    `seed`: bytes that all replicas share, for cursors and for the tenants in logs.
    `admission`: counts the requests; the caller may read from it how many there are.
    `echoes_request_id`: False where the server in front puts `x-request-id` itself.
    """
    outcomes = Outcomes(meters, logs=settings.access_log, seed=seed)
    services = replace(services, embedder=AdmittedEmbedder(services.embedder, admission))
    app = FastAPI(
        title="faceserve",
        version=system.VERSION,
        summary="Face recognition over HTTP.",
        description=DESCRIPTION,
        docs_url=None,  # FastAPI's own page loads its scripts from a CDN
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,  # a redirect goes to whatever host the request claims, and answers before the token
    )
    app.state.context = ApiContext(
        services,
        settings,
        CursorCodec(seed),
        RecentCollections(services.gallery),
        meters,
        outcomes,
        HealthCheck(services),
    )
    app.state.verifier = verifier
    install_handlers(app)
    install_openapi(app)
    app.add_middleware(
        Gatekeeper,
        timeout_s=settings.request_timeout_s,
        bodies=BodyLimits(settings.max_request_bytes, settings.body_timeout_s),
        held=HeldBytes(settings.max_held_bytes),
        admission=admission,
        outcomes=outcomes,
        echoes_request_id=echoes_request_id,
    )
    if settings.cors_origins:  # outermost, so that a page in a browser can read a refusal as well
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "HEAD", "POST", "PATCH", "DELETE"),
            allow_headers=("authorization", "content-type", "idempotency-key", "x-request-id"),
            expose_headers=("x-request-id", "retry-after"),
        )
    for router in (
        system.open_router,
        system.router,
        faces.router,
        collections.router,
        persons.router,
        person_faces.router,
        search.router,
        imports.router,
        archives.router,
        calibrations.router,
    ):
        app.include_router(router)
    if settings.docs:
        app.include_router(docs_router())
    if settings.console:
        app.include_router(console_router(read_page()))
    refuse_unguarded(app)
    return app
