"""The files of the page, read once, as they go over the wire."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parent / "page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
DIGEST = b"{{digest}}"  # stands in the document for the digest of all files


@dataclass(frozen=True, slots=True)
class File:
    """A file of the page. `etag`: of its plain body."""

    media_type: str
    plain: bytes
    gzipped: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Page:
    """The document at `/`, and the files that it asks for by room and name. `digest` changes with any of them."""

    digest: str
    document: File
    files: Mapping[tuple[str, str], File]


def read_page(folder: Path = PAGE) -> Page:
    """Return the page in `folder`: `index.html`, and rooms with files of the types above."""
    paths = sorted(path for path in folder.glob("*/*") if path.suffix in TYPES)
    document = (folder / "index.html").read_bytes()
    digest = hashlib.sha256(document)
    for path in paths:
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    name = digest.hexdigest()[:16]
    return Page(
        digest=name,
        document=_file(".html", document.replace(DIGEST, name.encode())),
        files={(path.parent.name, path.name): _file(path.suffix, path.read_bytes()) for path in paths},
    )


def _file(suffix: str, body: bytes) -> File:
    return File(TYPES[suffix], body, gzip.compress(body, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:32]}"')
