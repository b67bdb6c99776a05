"""Brings a pack's files into the models directory: all of them, verified, or none."""

import fcntl
import os
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from encoders.errors import PackCorrupt, PackError, PackNotFound
from encoders.packs.catalog import KNOWN_PACKS
from encoders.packs.directory import PACK_NAME, Pack, open_pack, verify_pack
from encoders.packs.manifest import MANIFEST_FILE, read_manifest, write_manifest
from encoders.packs.quantization_report import REPORT_FILE

MAX_UNPACKED_BYTES = 4 * 1024**3  # antelopev2, the largest known pack, unpacks to 0.4 GB
CHUNK_BYTES = 1024**2
LOCK_POLL_S = 0.2
ORIGIN_FILE = "ORIGIN.txt"  # where a pack's models come from, and what was changed in them


def import_pack(models_dir: Path, source: Path, name: str | None = None, overwrite: bool = False) -> Pack:
    """Return the pack made from `source`, a zip file or a directory, under `name` or else the source's own name.

    Takes its ONNX files, its manifest and its licences, wherever in it they lie, and nothing else. A pack that states
    no digests gets a manifest with those found, so that later damage shows. Raises PackError when the name is taken,
    PackNotFound when there is no such source, PackIncomplete or PackCorrupt when it is no pack.
    """
    name = source.stem if name is None else name
    if not source.exists():
        raise PackNotFound(name, "There is nothing at the place to import it from.")

    def fill(directory: Path) -> None:
        if source.is_dir():
            _copy_models(source, directory, name)
        else:
            unpack(source, directory, name)

    return install(models_dir, name, fill, "replace" if overwrite else "refuse")


def install(
    models_dir: Path,
    name: str,
    fill: Callable[[Path], None],
    if_present: Literal["refuse", "replace", "keep"],
    lock_timeout_s: float = 60.0,
) -> Pack:
    """Return the pack `name`, made of what `fill` puts into the empty directory that it is given.

    The pack appears in one rename once it is verified; until then, and after any failure, nothing has changed. Only
    one process at a time installs a pack of one name. `if_present`: a pack of that name makes it fail, is replaced, or
    is kept if it is sound. Raises PackError when the name cannot be used, is taken, is locked for longer than
    `lock_timeout_s`, or the disk does not take it, besides what `verify_pack` raises.
    """
    if not PACK_NAME.fullmatch(name):
        raise PackError(name, "A name consists of letters, digits, dots, dashes and underscores.")
    target = models_dir / name
    staging = models_dir / f".{name}.partial"
    replaced = models_dir / f".{name}.replaced"
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with _locked(models_dir / f".{name}.lock", name, lock_timeout_s):
            if replaced.exists() and not target.exists():  # an earlier install died between its two renames
                replaced.rename(target)
            if target.exists() and if_present == "refuse":
                raise PackError(name, "There already is a pack of this name.")
            if target.exists() and if_present == "keep" and _is_sound(target, name):
                return open_pack(target, name)
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            try:
                fill(staging)
                _state_digests(staging, name)
                if target.exists():
                    shutil.rmtree(replaced, ignore_errors=True)
                    target.rename(replaced)
                staging.rename(target)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
                if target.exists():
                    shutil.rmtree(replaced, ignore_errors=True)
    except OSError as exc:
        raise PackError(name, f"Its files cannot be copied: {exc.strerror}.") from exc
    return open_pack(target, name)


def unpack(archive: Path, directory: Path, name: str) -> None:
    """Put the ONNX files and the manifest in the zip `archive` into `directory`, without the folders they lie in.

    Raises PackCorrupt for a damaged archive, one that points outside itself and one that would fill the disk.
    """
    left_bytes = MAX_UNPACKED_BYTES
    try:
        with zipfile.ZipFile(archive) as opened:
            for entry in opened.infolist():
                path = PurePosixPath(entry.filename.replace("\\", "/"))
                if path.is_absolute() or ".." in path.parts:
                    raise PackCorrupt(name, "Its archive holds a file that would land outside the pack.")
                if entry.is_dir() or not _belongs_to_pack(path.name):
                    continue
                target = directory / path.name
                if target.exists():
                    raise PackCorrupt(name, f"Its archive holds {path.name} twice.")
                with opened.open(entry) as source, target.open("wb") as file:
                    left_bytes -= _copy(source, file, left_bytes, name)
    # RuntimeError is zipfile's for an encrypted entry, NotImplementedError for an unknown compression.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as exc:
        raise PackCorrupt(name, "Its archive is damaged, encrypted or no zip file.") from exc


def _copy(source: IO[bytes], file: IO[bytes], limit_bytes: int, name: str) -> int:
    """Return the bytes copied; what the archive's directory says of them is not believed."""
    copied = 0
    while chunk := source.read(CHUNK_BYTES):
        copied += len(chunk)
        if copied > limit_bytes:
            raise PackCorrupt(name, f"Its archive unpacks to more than {MAX_UNPACKED_BYTES:,} bytes.")
        file.write(chunk)
    return copied


def _copy_models(source: Path, directory: Path, name: str) -> None:
    for path in sorted(path for path in source.rglob("*") if path.is_file() and _belongs_to_pack(path.name)):
        if (directory / path.name).exists():
            raise PackCorrupt(name, f"The directory holds {path.name} twice.")
        shutil.copyfile(path, directory / path.name)


def is_legal_text(file: str) -> bool:
    """Return whether the file of this name tells under which terms a pack may be used, or what was changed in it."""
    return file == ORIGIN_FILE or file.startswith("LICENSE")


def _belongs_to_pack(file: str) -> bool:
    if file in (MANIFEST_FILE, REPORT_FILE) or is_legal_text(file):
        return True
    return file.endswith(".onnx") and not file.startswith(".")


def _is_sound(directory: Path, name: str) -> bool:
    try:
        verify_pack(open_pack(directory, name))
    except PackError:
        return False
    return True


def _state_digests(directory: Path, name: str) -> None:
    """Verify the pack in `directory` and write down the digests found, unless they are stated already."""
    pack = open_pack(directory, name)
    detector, recogniser = verify_pack(pack)
    if name in KNOWN_PACKS:
        return
    manifest = replace(
        read_manifest(directory, name),
        detector=detector.file,
        recogniser=recogniser.file,
        detector_sha256=detector.sha256,
        recogniser_sha256=recogniser.sha256,
    )
    write_manifest(directory, manifest)


@contextmanager
def _locked(path: Path, name: str, timeout_s: float) -> Iterator[None]:
    """Hold the lock file at `path`. It stays behind: removing it would let two processes lock two files."""
    deadline = time.monotonic() + timeout_s
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise PackError(name, f"Another process has been installing it for {timeout_s:.0f} s.") from None
                time.sleep(LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)  # releases the lock, as the death of the process would
