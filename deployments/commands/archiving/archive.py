"""The file of an exported collection: a tar with JSON Lines, NumPy arrays and JPEG files, and their digests at the end.

collection.json            the collection: its settings and embedding contract
faces-00000.jsonl          a face a line, without embedding and crop
embeddings-00000.npy       float32 (n, 512), the rows of the lines
crops/FACE_ID.jpg          where the collection saves them
persons-00000.jsonl        a person a line
manifest.json              last: format, counts, and the sha256 of every other file
"""

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from deployments.commands.errors import CommandFailed

FORMAT = "faceserve-archive-1"
MANIFEST = "manifest.json"
MAX_JSON_BYTES = 256 * 2**20  # of one part; an export writes 1,000 lines


class BadArchive(CommandFailed):
    """The file is not a whole archive."""


class ArchiveWriter:
    """Writes an archive from the front to the end; it is whole once `finish` has returned."""

    def __init__(self, file: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115, closed by `finish`
        self._digests: dict[str, str] = {}
        self._counts = {"persons": 0, "faces": 0, "crops": 0}
        self._parts = {"persons": 0, "faces": 0}

    @property
    def counts(self) -> Mapping[str, int]:
        """How much was written."""
        return self._counts

    def collection(self, described: Mapping[str, Any]) -> None:
        """Write what the collection is."""
        self._add("collection.json", _json(described))

    def faces(self, faces: Sequence[Mapping[str, Any]], embeddings: npt.NDArray[np.float32]) -> None:
        """Write faces, one a row of `embeddings`, float32 (n, 512)."""
        part = self._parts["faces"]
        self._add(f"faces-{part:05}.jsonl", b"".join(map(_json, faces)))
        array = io.BytesIO()
        np.save(array, embeddings.astype("<f4"), allow_pickle=False)
        self._add(f"embeddings-{part:05}.npy", array.getvalue())
        self._parts["faces"] += 1
        self._counts["faces"] += len(faces)

    def crop(self, face_id: str, jpeg: bytes) -> None:
        """Write the picture of a face."""
        self._add(f"crops/{face_id}.jpg", jpeg)
        self._counts["crops"] += 1

    def persons(self, persons: Sequence[Mapping[str, Any]]) -> None:
        """Write persons."""
        self._add(f"persons-{self._parts['persons']:05}.jsonl", b"".join(map(_json, persons)))
        self._parts["persons"] += 1
        self._counts["persons"] += len(persons)

    def finish(self) -> None:
        """Write counts and digests."""
        self._add(MANIFEST, _json({"format": FORMAT, "counts": self._counts, "sha256": self._digests}))
        self._tar.close()

    def _add(self, name: str, content: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o600
        self._tar.addfile(entry, io.BytesIO(content))
        self._digests[name] = hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that was read from the first byte to the last and found whole."""

    path: Path
    collection: Mapping[str, Any]
    counts: Mapping[str, int]

    def persons(self) -> Iterator[list[dict[str, Any]]]:
        """Give the persons, a part at a time."""
        for name, content in _members(self.path):
            if name.startswith("persons-"):
                yield _lines(content)

    def faces(self) -> Iterator[tuple[list[dict[str, Any]], npt.NDArray[np.float32], dict[str, bytes]]]:
        """Give faces, their embeddings, float32 (n, 512), and their crops by id; by part, in the order of enrolment."""
        faces: list[dict[str, Any]] = []
        embeddings = np.empty((0, 512), np.float32)
        crops: dict[str, bytes] = {}
        for name, content in _members(self.path):
            if name.startswith("faces-"):
                if faces:
                    yield faces, embeddings, crops
                faces, crops = _lines(content), {}
            elif name.startswith("embeddings-"):
                embeddings = _array(content)
                if embeddings.shape != (len(faces), 512):
                    raise BadArchive(
                        f"Expected {len(faces)} embeddings of 512 numbers in {name}; found {embeddings.shape}."
                    )
            elif name.startswith("crops/"):
                crops[name.removeprefix("crops/").removesuffix(".jpg")] = content
        if faces:
            yield faces, embeddings, crops


def verified(path: Path) -> Archive:
    """Return the archive at `path`, every byte of which was checked. Raises BadArchive."""
    digests: dict[str, str] = {}
    collection: dict[str, Any] | None = None
    counts = {"persons": 0, "faces": 0, "crops": 0}
    manifest: dict[str, Any] | None = None
    for name, content in _members(path):
        if manifest is not None:
            raise BadArchive(f"Expected nothing after {MANIFEST} in {path.name}; found {name}.")
        if name == MANIFEST:
            [manifest] = _lines(content)
            continue
        if name in digests:
            raise BadArchive(f"Expected {name} once in {path.name}; found it twice.")
        digests[name] = hashlib.sha256(content).hexdigest()
        if name == "collection.json":
            [collection] = _lines(content)
        for kind in ("persons", "faces"):
            counts[kind] += content.count(b"\n") if name.startswith(f"{kind}-") else 0
        counts["crops"] += name.startswith("crops/")
    if manifest is None or collection is None:
        raise BadArchive(
            f"{path.name} is cut off, or is no archive of `faceserve export`: it has no {MANIFEST} at its end."
        )
    if manifest.get("format") != FORMAT:
        raise BadArchive(f"Expected the format {FORMAT} in {path.name}; found {manifest.get('format')}.")
    if manifest.get("sha256") != digests:
        told: Mapping[str, str] = manifest.get("sha256") or {}
        wrong = sorted(name for name in told.keys() | digests.keys() if told.get(name) != digests.get(name))
        raise BadArchive(f"{path.name} is damaged: {wrong[0]} is not as it was written.")
    if manifest.get("counts") != counts:
        raise BadArchive(f"Expected {manifest.get('counts')} in {path.name}; found {counts}.")
    return Archive(path, collection, counts)


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path, "r|") as tar:
            for entry in tar:
                if not entry.isfile() or entry.size > MAX_JSON_BYTES:
                    raise BadArchive(
                        f"Expected files of at most {MAX_JSON_BYTES:,} bytes in {path.name}; found {entry.name}."
                    )
                content = tar.extractfile(entry)
                assert content is not None
                yield entry.name, content.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BadArchive(f"{path.name} cannot be read as an archive: {error}.") from error


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(value), ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _lines(content: bytes) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in content.splitlines()]
    except ValueError as error:
        raise BadArchive(f"A part of the archive is no JSON: {error}.") from error


def _array(content: bytes) -> npt.NDArray[np.float32]:
    try:
        array: npt.NDArray[np.float32] = np.load(io.BytesIO(content), allow_pickle=False)
    except ValueError as error:
        raise BadArchive(f"A part of the archive is no NumPy array: {error}.") from error
    return array
