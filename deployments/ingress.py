"""The deployment that speaks HTTP."""

import asyncio
import os
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.serve import Deployment
from ray.serve.handle import DeploymentHandle

from configs.secrets import read_token_secrets
from configs.settings import ServiceSettings
from configs.tuning import IngressTuning
from deployments.handles import RemoteEmbedder, remote_gallery
from deployments.http.access.tokens import TokenVerifier
from deployments.http.admission import Admission
from deployments.http.app import create_api
from deployments.http.problems import status_of
from deployments.ports import Services
from deployments.telemetry.logs import join_serve_log
from deployments.telemetry.loop_lag import watch_loop
from deployments.telemetry.metrics import INGRESS_REQUESTS
from deployments.telemetry.ray_metrics import RayMeters


@serve.ingress()
class Ingress:
    """Checks tokens and limits, parses requests, and asks the other two."""

    def __init__(
        self, settings: ServiceSettings, embedder: DeploymentHandle[Any], searcher: DeploymentHandle[Any]
    ) -> None:
        join_serve_log(status_of)
        self.tuning = IngressTuning()
        self._meters = RayMeters()
        # Serve calls constructors on the replica's loop; a task needs somebody who holds it
        self._watch = asyncio.get_running_loop().create_task(watch_loop(self._meters, self._record_requests))
        self._settings = settings
        self._admission = Admission(settings.api.max_in_flight)
        self._secrets = read_token_secrets(os.environ)
        self._services = Services(
            RemoteEmbedder(embedder, self._meters), remote_gallery(searcher, self._meters), tuning_source=self
        )

    def reconfigure(self, config: dict[str, Any]) -> None:
        """Take new knobs without a restart."""
        self.tuning = IngressTuning.model_validate(config)

    def _record_requests(self) -> None:
        self._meters.record(INGRESS_REQUESTS, self._admission.under_way, "under_way")
        self._meters.record(INGRESS_REQUESTS, self._admission.arriving, "arriving")
        self._meters.record(INGRESS_REQUESTS, self._admission.room, "room")

    def __serve_build_asgi_app__(self) -> FastAPI:
        return create_api(
            self._services,
            TokenVerifier(self._secrets, self._settings.token),
            self._secrets.shared_seed(),
            self._settings.api,
            admission=self._admission,
            meters=self._meters,
            echoes_request_id=False,  # Serve's own server does
        )


INGRESS: Deployment = serve.deployment(
    name="Ingress",
    ray_actor_options={"num_cpus": 0},
    # above the API's own `max_in_flight`, whose 429 carries our envelope
    max_ongoing_requests=256,
    health_check_period_s=5,  # given up after three: within 35 s when it no longer answers
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=35,
)(Ingress)
