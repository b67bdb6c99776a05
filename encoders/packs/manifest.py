"""The manifest that a pack may carry: `faceserve-pack.json`, what its maker states about it."""

import json
from dataclasses import dataclass
from pathlib import Path

from encoders.errors import PackCorrupt
from encoders.packs.catalog import ARCFACE_THRESHOLD, KnownPack

MANIFEST_FILE = "faceserve-pack.json"
MOST_INPUTS = 4  # each is another run of the detector
STEP_PX, MOST_PX = 32, 2048
UNKNOWN_LICENCE = "unknown: ask whoever made the pack"


@dataclass(frozen=True, slots=True)
class PackManifest:
    """What a `faceserve-pack.json` may state about the pack it lies in; every field is optional."""

    version: str = "1"
    licence: str = UNKNOWN_LICENCE
    commercial_use: bool = False
    default_threshold: float = ARCFACE_THRESHOLD
    detector: str | None = None
    recogniser: str | None = None
    detector_sha256: str | None = None
    recogniser_sha256: str | None = None
    detector_inputs: tuple[tuple[int, int], ...] | None = None  # width and height of each
    contract_digest: str | None = None  # written by a quantisation alone, and believed only with its report


def manifest_of(known: KnownPack) -> PackManifest:
    """Return what is known about a pack as its manifest."""
    return PackManifest(
        version=known.version,
        licence=known.licence,
        commercial_use=known.commercial_use,
        default_threshold=known.default_threshold,
        detector=known.detector,
        recogniser=known.recogniser,
        detector_sha256=known.detector_sha256,
        recogniser_sha256=known.recogniser_sha256,
        detector_inputs=known.detector_inputs,
    )


def read_manifest(directory: Path, name: str) -> PackManifest:
    """Return the manifest in `directory`, or an empty one. Raises PackCorrupt for one that makes no sense."""
    try:
        text = (directory / MANIFEST_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return PackManifest()
    try:
        fields = json.loads(text)
        if isinstance(fields, dict) and "detector_inputs" in fields:
            fields["detector_inputs"] = _inputs(fields["detector_inputs"])
        manifest = PackManifest(**fields)
    except (ValueError, TypeError) as exc:  # no JSON, no object, or a key that does not exist
        raise PackCorrupt(name, f"{MANIFEST_FILE} is not a manifest: {exc}.") from exc
    for field, value in fields.items():
        default = getattr(PackManifest(), field)
        if field == "detector_inputs":
            continue
        expected = str if default is None else type(default)
        if type(value) is not expected and not (expected is float and type(value) is int):
            raise PackCorrupt(name, f"{MANIFEST_FILE}: {field} must be of type {expected.__name__}.")
    if not -1 <= manifest.default_threshold <= 1:
        raise PackCorrupt(name, f"{MANIFEST_FILE}: default_threshold must lie between -1 and 1.")
    for file in (manifest.detector, manifest.recogniser):
        if file is not None and Path(file).name != file:
            raise PackCorrupt(name, f"{MANIFEST_FILE}: a model is named by its file alone, found a folder in the name.")
    return manifest


def write_manifest(directory: Path, manifest: PackManifest) -> None:
    """Write `manifest` into `directory`."""
    fields = {name: getattr(manifest, name) for name in PackManifest.__slots__}
    text = json.dumps({name: value for name, value in fields.items() if value is not None}, indent=2)
    (directory / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")


def _inputs(value: object) -> tuple[tuple[int, int], ...]:
    """Return detector inputs. Raises ValueError for anything but one to four pairs of multiples of 32, up to 2,048."""
    if isinstance(value, list) and 1 <= len(value) <= MOST_INPUTS:
        sizes = [tuple(size) for size in value if isinstance(size, list) and len(size) == 2]
        if len(sizes) == len(value) and all(_is_side(side) for size in sizes for side in size):
            return tuple((width, height) for width, height in sizes)
    raise ValueError(
        f"expected detector_inputs of 1 to {MOST_INPUTS} pairs of multiples of {STEP_PX} up to {MOST_PX}, found {value}"
    )


def _is_side(value: object) -> bool:
    return type(value) is int and value % STEP_PX == 0 and 0 < value <= MOST_PX
