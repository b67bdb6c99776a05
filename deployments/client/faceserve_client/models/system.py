"""The service itself, and the models that run."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from faceserve_client.models.base import Answer, Shape


class ModelComponent(Shape):
    """A model file that runs."""

    model_id: str
    model_version: str
    task: str
    sha256: str
    file: str | None
    input_size: list[int] | None
    embedding_dimension: int | None
    preprocessing_version: str | None


class ModelLicense(Shape):
    """Under which terms the models may be used."""

    text: str
    commercial_use: bool


class ModelSummary(Shape):
    """The models that run, and the contract that their embeddings follow."""

    model_id: str
    model_version: str
    model_digest: str
    embedding_dimension: int
    embedding_contract_id: str
    preprocessing_version: str
    provider: str
    models: list[ModelComponent]
    license: ModelLicense


class HealthResponse(Answer):
    """Whether requests can be served right now, and which part cannot if not."""

    status: str
    version: str
    auth_enabled: bool
    components: Mapping[str, str]


class ModelsResponse(Answer):
    models: list[ModelComponent]
    execution_provider: str
    license: ModelLicense
    embedding_contract_id: str
    default_threshold: float


class TrafficMinute(Shape):
    """What one replica of the service answered in a minute. `failed`: with a status of 500 or more."""

    start: datetime
    requests: int
    failed: int
    p50_ms: float | None
    p95_ms: float | None


class SystemResponse(Answer):
    """What runs, on what, with which limits. `stats` counts what the token's tenant has stored."""

    server_version: str
    os: str
    architecture: str
    cpu: Mapping[str, Any]
    runtime: Mapping[str, Any]
    execution_provider: str
    model: ModelSummary
    database: Mapping[str, Any]
    data: Mapping[str, Any]
    models: Mapping[str, Any]
    stats: Mapping[str, int]
    search: Mapping[str, Any]
    api_key: Mapping[str, bool]
    safe_config: Mapping[str, Any]
    recent_errors: list[Mapping[str, Any]]
    traffic: list[TrafficMinute]
