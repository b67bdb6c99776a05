"""The one place where a request's token is checked: a dependency of every router that is not open."""

from collections.abc import Sequence

from fastapi import Depends, FastAPI, Request, params
from fastapi.params import Security as SecurityDependency
from fastapi.routing import iter_route_contexts
from fastapi.security import HTTPBearer, SecurityScopes

from deployments.http.access.query import only_known_query
from deployments.http.access.tokens import TokenVerifier, Unauthorized

# Every other route asks for a token: `refuse_unguarded` sees to it before the application serves anybody.
OPEN_PATHS = frozenset({"/v1/health", "/openapi.json", "/docs", "/docs/{file}", "/", "/console/{digest}/{room}/{file}"})

BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT", description="A JSON Web Token; `faceserve token` makes one.")


async def authorize(request: Request, scopes: SecurityScopes, _: object = Depends(BEARER)) -> None:
    """Let the request through if its token is valid, has the route's scopes and grants the path's collection.

    Leaves the principal on `request.state`. Raises Unauthorized, InsufficientScope or CollectionNotGranted.
    """
    verifier: TokenVerifier = request.app.state.verifier
    principal = verifier.verify(bearer_token(request.headers.getlist("authorization")))
    for scope in scopes.scopes:
        principal.require_scope(scope)
    collection = request.path_params.get("collection_id")
    if collection is not None:
        principal.require_collection(collection)
    request.state.principal = principal


def requires(*scopes: str) -> Sequence[params.Depends]:
    """Return the dependencies of a router or route that asks for a token with `scopes`, and then for a known query."""
    return [SecurityDependency(authorize, scopes=list(scopes)), Depends(only_known_query)]


def refuse_unguarded(app: FastAPI) -> None:
    """Raise RuntimeError for a route of `app` that asks for no token and is not in OPEN_PATHS."""
    for route in iter_route_contexts(app.routes):
        asked = [each.call for each in route.dependant.dependencies] if hasattr(route, "dependant") else []
        if route.path not in OPEN_PATHS and authorize not in asked:
            raise RuntimeError(f"expected `requires` on the route {route.path}, or the path in OPEN_PATHS")


def bearer_token(headers: Sequence[str]) -> str:
    """Return the token of the one `Authorization: Bearer` header. Raises Unauthorized."""
    if len(headers) != 1:
        raise Unauthorized("" if not headers else "expected one Authorization header")
    scheme, _, token = headers[0].partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("expected Authorization: Bearer TOKEN")
    return token.strip()
