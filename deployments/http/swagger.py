"""`/docs`: Swagger UI from an installed package, so that it works offline, under a policy that runs its files alone."""

from importlib.resources import files

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # its icons
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {"content-security-policy": SECURITY_POLICY, "referrer-policy": "no-referrer"}
KEPT = {"cache-control": "public, max-age=3600"}
TYPES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
START = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
"""
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>faceserve: API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""


def docs_router() -> APIRouter:
    """Return the routes of `/docs`, which need no token: the page asks the API with the token that its user enters."""
    folder = files("fastapi_swagger") / "resources"
    served = {name: ((folder / name).read_bytes(), kind) for name, kind in TYPES.items()}
    served["start.js"] = START.encode(), "text/javascript"
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def docs() -> Response:
        """Return the page."""
        return Response(PAGE, media_type="text/html", headers=HEADERS)

    @router.get("/docs/{file}")
    async def docs_file(file: str) -> Response:
        """Return a file that the page asks for."""
        if file not in served:
            raise HTTPException(404, "There is no such file.")
        content, kind = served[file]
        return Response(content, media_type=kind, headers=HEADERS | KEPT)

    return router
