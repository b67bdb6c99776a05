"""The composition root: the only place that binds deployments together.

No `from __future__ import annotations` here: Serve looks at the builder's annotation and hands over a plain,
unchecked dict unless it is the real class.
"""

from ray.serve import Application, Deployment

from configs.settings import ServiceSettings
from deployments.embedder import EMBEDDER
from deployments.ingress import INGRESS
from deployments.searcher import SEARCHER


def build_app(settings: ServiceSettings) -> Application:
    """Return the application: Ingress in front of Embedder and Search."""
    return compose(settings, embedder=EMBEDDER)


def compose(settings: ServiceSettings, *, embedder: Deployment) -> Application:
    """Return the application around `embedder`, whose replicas and resources the caller has set."""
    return INGRESS.bind(settings, embedder.bind(settings.encoder), SEARCHER.bind(settings.store))
