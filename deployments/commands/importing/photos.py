"""Where the photos of an import come from: a folder for each person, or a manifest. Read as they are needed."""

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployments.commands.errors import CommandFailed
from deployments.http.access.tokens import NAME

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".heic", ".heif"})
MANIFESTS = ("metadata.jsonl", "metadata.csv", "metadata.parquet")  # as in the ImageFolder layout of Hugging Face
MAX_ID = 64
KNOWN_COLUMNS = frozenset({"file_name", "person_id", "name", "external_id", "metadata"})


@dataclass(frozen=True, slots=True)
class ImportPhoto:
    """A file that shows a person. `metadata`, `name` and `external_id` count when the person is created."""

    path: Path
    person_id: str
    name: str | None = None
    external_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def photos_of(source: Path) -> Iterator[ImportPhoto]:
    """Give the photos of a folder or a manifest, those of a folder by person. Raises CommandFailed.

    A folder holds a folder for each person, named after the person, or a manifest `metadata.csv|jsonl|parquet`.
    """
    if source.is_dir():
        manifest = next((source / name for name in MANIFESTS if (source / name).is_file()), None)
        return _of_folder(source) if manifest is None else _of_manifest(manifest)
    if source.suffix in (".csv", ".jsonl", ".ndjson", ".parquet") and source.is_file():
        return _of_manifest(source)
    raise CommandFailed(f"Expected a folder, or a manifest that ends in .csv, .jsonl or .parquet; found {source}.")


def person_id_of(text: str) -> str:
    """Return `text` where it can be an id, else what is left of it and a part of its digest, always the same."""
    if NAME.fullmatch(text) is not None:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    kept = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")[: MAX_ID - 13]
    return f"{kept}-{digest}" if kept else f"p-{digest}"


def _of_folder(source: Path) -> Iterator[ImportPhoto]:
    folders = sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise CommandFailed(f"Expected a folder for each person in {source}; found none.")
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
                yield ImportPhoto(path, person_id_of(folder.name), name=folder.name.replace("_", " ")[:200])


def _of_manifest(manifest: Path) -> Iterator[ImportPhoto]:
    rows = {".csv": _csv, ".parquet": _parquet}.get(manifest.suffix, _jsonl)(manifest)
    for number, row in enumerate(rows, start=1):
        yield _photo(row, manifest, number)


def _photo(row: Mapping[str, Any], manifest: Path, number: int) -> ImportPhoto:
    place = f"row {number} of {manifest.name}"
    unknown = {name for name in row if name not in KNOWN_COLUMNS and not name.startswith("metadata.")}
    if unknown:
        columns = "file_name, person_id, name, external_id and metadata.*"
        raise CommandFailed(f"Expected the columns {columns}; found {min(unknown)} in {place}.")
    file_name, person, name, external = (row.get(key) for key in ("file_name", "person_id", "name", "external_id"))
    who = person or external or name
    if not file_name or not who:
        raise CommandFailed(f"Expected file_name and one of person_id, external_id and name in {place}.")
    metadata = dict(row.get("metadata") or {})
    for key, value in row.items():
        if key.startswith("metadata.") and value not in (None, ""):
            metadata[key.removeprefix("metadata.")] = value
    if person and NAME.fullmatch(str(person)) is None:
        raise CommandFailed(f"Expected a person_id of up to 64 letters, digits, dots, underscores, hyphens in {place}.")
    return ImportPhoto(
        manifest.parent / str(file_name),
        person_id_of(str(who)),
        None if not name else str(name),
        None if not external else str(external),
        metadata,
    )


def _csv(manifest: Path) -> Iterator[Mapping[str, Any]]:
    with manifest.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file, restkey="more cells than columns")


def _jsonl(manifest: Path) -> Iterator[Mapping[str, Any]]:
    with manifest.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError as error:
                    place = f"line {number} of {manifest.name}"
                    raise CommandFailed(f"Expected a JSON object in {place}: {error}.") from error
                if not isinstance(row, dict):
                    raise CommandFailed(f"Expected a JSON object in line {number} of {manifest.name}.")
                yield row


def _parquet(manifest: Path) -> Iterator[Mapping[str, Any]]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise CommandFailed("A Parquet manifest needs pyarrow: pip install pyarrow.") from error
    for batch in parquet.ParquetFile(manifest).iter_batches(batch_size=1000):
        yield from batch.to_pylist()
