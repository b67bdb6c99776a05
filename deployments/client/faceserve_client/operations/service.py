"""The service itself."""

from faceserve_client.calls import Call, path_of, whole
from faceserve_client.models.system import HealthResponse, ModelsResponse, SystemResponse


def health() -> Call[HealthResponse]:
    """Return whether the service can answer, and which part cannot if not."""
    return Call("GET", path_of("health"), whole(HealthResponse), accepted=frozenset({503}))


def models() -> Call[ModelsResponse]:
    """Return the models that run, and their licence."""
    return Call("GET", path_of("models"), whole(ModelsResponse))


def system() -> Call[SystemResponse]:
    """Return what runs, on what, and with which limits."""
    return Call("GET", path_of("system"), whole(SystemResponse))
