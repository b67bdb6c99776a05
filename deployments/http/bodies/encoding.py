"""How a body is written, as its headers say."""

from starlette.requests import Request

from deployments.http.problems import UnsupportedMediaType


def media_type(request: Request) -> str:
    """Return the body's media type in lower case, without parameters."""
    return request.headers.get("content-type", "").split(";", 1)[0].strip().lower()


def refuse_encoded(request: Request) -> None:
    """Raise UnsupportedMediaType for a compressed body: a small one could stand for gigabytes."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMediaType(f"Expected a body without Content-Encoding; found {encoding[:64]}.")
