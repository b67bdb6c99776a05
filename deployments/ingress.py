"""The deployment that speaks HTTP."""

import os
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.serve import Deployment
from ray.serve.handle import DeploymentHandle

from configs.secrets import read_token_secrets
from configs.settings import ServiceSettings
from configs.tuning import IngressTuning
from deployments.api import create_api
from deployments.auth import TokenVerifier
from deployments.cursors import CursorCodec
from deployments.handles import RemoteEmbedder, remote_gallery
from deployments.ports import Services


@serve.ingress()
class Ingress:
    """Checks tokens and limits, parses requests, and asks the other two."""

    def __init__(
        self, settings: ServiceSettings, embedder: DeploymentHandle[Any], searcher: DeploymentHandle[Any]
    ) -> None:
        self.tuning = IngressTuning()
        self._settings = settings
        self._secrets = read_token_secrets(os.environ)
        self._services = Services(RemoteEmbedder(embedder), remote_gallery(searcher), live=self)

    def reconfigure(self, config: dict[str, Any]) -> None:
        """Take new knobs without a restart."""
        self.tuning = IngressTuning.model_validate(config)

    def __serve_build_asgi_app__(self) -> FastAPI:
        return create_api(
            self._services,
            TokenVerifier(self._secrets, self._settings.token),
            CursorCodec(self._secrets.cursor_seed()),
            self._settings.api,
            echoes_request_id=False,  # Serve's own server does
        )


INGRESS: Deployment = serve.deployment(
    name="Ingress",
    ray_actor_options={"num_cpus": 0},
    # above the API's own `max_in_flight`, whose 429 carries our envelope
    max_ongoing_requests=256,
    health_check_period_s=10,
    health_check_timeout_s=30,
    graceful_shutdown_timeout_s=35,
)(Ingress)
