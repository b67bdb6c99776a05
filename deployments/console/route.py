"""The routes that serve the page. They need no token: the page asks the API with the token of its user."""

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from deployments.console.files import File, Page

SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",  # the page makes no HTML from text, so nothing may
    )
)
HEADERS = {
    "content-security-policy": SECURITY_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(), microphone=()",
    "vary": "accept-encoding",
}
ALWAYS_ASK = "no-cache"  # the browser keeps the document, and asks each time whether it still holds
KEEP = "public, max-age=31536000, immutable"  # the digest in the address changes with the files


def console_router(page: Page) -> APIRouter:
    """Return the routes that serve `page`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def console(request: Request) -> Response:
        """Return the document."""
        return _answer(request, page.document, ALWAYS_ASK)

    @router.get("/console/{digest}/{room}/{file}")
    async def console_file(request: Request, digest: str, room: str, file: str) -> Response:
        """Return a file that the document asks for, by the digest of all files.

        Another digest gets the file as it is now, for once: during an upgrade two versions answer side by side.
        """
        found = page.files.get((room, file))
        if found is None:
            raise HTTPException(404, "There is no such file.")
        return _answer(request, found, KEEP if digest == page.digest else ALWAYS_ASK)

    return router


def _answer(request: Request, file: File, caching: str) -> Response:
    headers = HEADERS | {"cache-control": caching, "etag": file.etag}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        return Response(file.gzipped, media_type=file.media_type, headers=headers)
    return Response(file.plain, media_type=file.media_type, headers=headers)
