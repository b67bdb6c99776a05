"""The service itself."""

from typing import Any, Literal, Self

from deployments.http.health import Health
from deployments.http.responses.base import Answer, Shape, Timestamp
from deployments.http.responses.models import ModelComponent, ModelLicense, ModelSummary
from encoders.types import ModelDescription


class HealthResponse(Answer):
    """Whether requests can be served right now, and which part cannot if not."""

    status: Literal["ready", "not_ready"]
    version: str
    auth_enabled: bool
    components: dict[str, Literal["ready", "unavailable"]]

    @classmethod
    def of(cls, health: Health, version: str) -> Self:
        """Return which parts answer."""
        return cls(
            status="ready" if health.is_ready else "not_ready",
            version=version,
            auth_enabled=True,
            components={
                "embedder": "ready" if health.embedder else "unavailable",
                "database": "ready" if health.database else "unavailable",
            },
        )


class ModelsResponse(Answer):
    models: list[ModelComponent]
    execution_provider: str
    license: ModelLicense
    embedding_contract_id: str
    default_threshold: float

    @classmethod
    def of(cls, model: ModelDescription, threshold: float) -> Self:
        """Return the pack that runs. `threshold`: similarity of a match where no collection says it."""
        return cls(
            models=ModelComponent.all_of(model),
            execution_provider=model.provider,
            license=ModelLicense.of(model),
            embedding_contract_id=model.contract.id,
            default_threshold=threshold,
        )


class TrafficMinute(Shape):
    """What this replica answered in a minute. `failed`: with a status of 500 or more."""

    start: Timestamp
    requests: int
    failed: int
    p50_ms: float | None
    p95_ms: float | None


class SystemResponse(Answer):
    """What runs, on what, with which limits. `stats` counts what is stored in the collections that the token grants."""

    server_version: str
    os: str
    architecture: str
    cpu: dict[str, Any]
    runtime: dict[str, Any]
    execution_provider: str
    model: ModelSummary
    database: dict[str, Any]
    data: dict[str, Any]
    models: dict[str, Any]
    stats: dict[str, int]
    search: dict[str, Any]
    api_key: dict[str, bool]
    safe_config: dict[str, Any]
    recent_errors: list[dict[str, Any]]
    traffic: list[TrafficMinute]
