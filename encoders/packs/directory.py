"""Finds model packs on disk and says what they are: two ONNX files, a licence and a threshold."""

import re
from dataclasses import dataclass
from pathlib import Path

from encoders.errors import PackCorrupt, PackError, PackIncomplete, PackNotFound
from encoders.packs.catalog import EMBEDDING_DIMENSION, KNOWN_PACKS
from encoders.packs.manifest import MANIFEST_FILE, PackManifest, manifest_of, read_manifest
from encoders.packs.onnx_models import DETECTOR_OUTPUTS_WITH_LANDMARKS, OnnxModel, file_sha256, read_model
from encoders.packs.quantization_report import require_report
from encoders.types import ModelComponent

PACK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Pack:
    """A model pack on disk. A digest is what the file should have (sha256, hex), None where nobody has stated it.

    `detector_inputs`: the inputs that the detector looks at, merged; None where the maker has stated none.
    `contract_digest`: of the recogniser whose embeddings a quantised one's are compared with; None for its own.
    """

    name: str
    directory: Path
    detector: Path
    recogniser: Path
    version: str
    licence: str
    commercial_use: bool
    default_threshold: float
    detector_sha256: str | None
    recogniser_sha256: str | None
    contract_digest: str | None = None
    detector_inputs: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True, slots=True)
class PackStatus:
    """A pack by name: on disk and complete (`pack`), on disk and unusable (`problem`), or known but absent."""

    name: str
    pack: Pack | None
    problem: PackError | None


def find_pack(models_dir: Path, name: str) -> Pack:
    """Return the pack `name` in `models_dir`; its files are located, not read.

    Raises PackNotFound when there is no such directory, PackIncomplete when a model file is missing from it and
    PackCorrupt when its manifest or a file that must be looked into makes no sense.
    """
    if not PACK_NAME.fullmatch(name):
        raise PackNotFound(name, "A name consists of letters, digits, dots, dashes and underscores.")
    if not (models_dir / name).is_dir():
        raise PackNotFound(name, f"Fetch it with 'faceserve pack pull {name}' or 'faceserve pack import FILE'.")
    return open_pack(models_dir / name, name)


def open_pack(directory: Path, name: str) -> Pack:
    """Return the pack that lies in `directory`, under the name `name`. Raises as `find_pack` does."""
    directory = _model_directory(directory)
    known = KNOWN_PACKS.get(name)
    manifest = manifest_of(known) if known is not None else read_manifest(directory, name)
    detector, recogniser = _locate_models(directory, name, manifest)
    return Pack(
        name=name,
        directory=directory,
        detector=detector,
        recogniser=recogniser,
        version=manifest.version,
        licence=manifest.licence,
        commercial_use=manifest.commercial_use,
        default_threshold=manifest.default_threshold,
        detector_sha256=manifest.detector_sha256,
        recogniser_sha256=manifest.recogniser_sha256,
        contract_digest=manifest.contract_digest,
        detector_inputs=manifest.detector_inputs,
    )


def list_packs(models_dir: Path) -> tuple[PackStatus, ...]:
    """Return the known packs, present or not, then every other directory with an ONNX file, by name."""
    others = set()
    if models_dir.is_dir():
        others = {entry.name for entry in models_dir.iterdir() if entry.is_dir() and any(entry.glob("*.onnx"))}
    names = [*KNOWN_PACKS, *sorted(name for name in others - set(KNOWN_PACKS) if PACK_NAME.fullmatch(name))]
    return tuple(_status(models_dir, name) for name in names)


def verify_pack(pack: Pack) -> tuple[ModelComponent, ModelComponent]:
    """Return the detector and the recogniser of `pack` with their digests, having read both files in full.

    Raises PackIncomplete for a missing file and PackCorrupt for one that is no ONNX, of another shape than its task
    needs, or of another digest than stated, and for a quantised pack whose report does not vouch for its files.
    """
    detector = _verify_model(pack.name, pack.detector, pack.detector_sha256)
    recogniser = _verify_model(pack.name, pack.recogniser, pack.recogniser_sha256)
    if pack.contract_digest is not None:
        require_report(pack.directory, pack.name, pack.contract_digest, detector, recogniser)
    detector_model = _parse(pack.name, pack.detector)
    if detector_model.outputs not in DETECTOR_OUTPUTS_WITH_LANDMARKS or detector_model.task != "detection":
        raise PackCorrupt(pack.name, f"{pack.detector.name} is not an SCRFD detector with landmarks.")
    recogniser_model = _parse(pack.name, pack.recogniser)
    if recogniser_model.task != "recognition" or recogniser_model.embedding_dimension != EMBEDDING_DIMENSION:
        raise PackCorrupt(
            pack.name, f"{pack.recogniser.name} is not a recogniser from 112x112 to {EMBEDDING_DIMENSION} dimensions."
        )
    return (
        ModelComponent("detection", pack.detector.name, detector, detector_model.input_size, None),
        ModelComponent(
            "recognition", pack.recogniser.name, recogniser, recogniser_model.input_size, EMBEDDING_DIMENSION
        ),
    )


def _status(models_dir: Path, name: str) -> PackStatus:
    try:
        return PackStatus(name, find_pack(models_dir, name), None)
    except PackNotFound:
        return PackStatus(name, None, None)
    except PackError as exc:
        return PackStatus(name, None, exc)


def _model_directory(directory: Path) -> Path:
    """Return `directory`, or the one folder inside it that holds the models, as in antelopev2's archive."""
    if any(directory.glob("*.onnx")):
        return directory
    nested = [entry for entry in directory.iterdir() if entry.is_dir() and any(entry.glob("*.onnx"))]
    return nested[0] if len(nested) == 1 else directory


def _locate_models(directory: Path, name: str, manifest: PackManifest) -> tuple[Path, Path]:
    named = [directory / file for file in (manifest.detector, manifest.recogniser) if file is not None]
    for path in named:
        if not path.is_file():
            raise PackIncomplete(name, f"{path.name} is not there.")
    if len(named) == 2:
        return named[0], named[1]
    models = {path: _parse(name, path) for path in sorted(directory.glob("*.onnx"))}
    detectors = [path for path, model in models.items() if model.task == "detection"]
    recognisers = [
        path
        for path, model in models.items()
        if model.task == "recognition" and model.embedding_dimension == EMBEDDING_DIMENSION
    ]
    if manifest.detector is not None:
        detectors = [directory / manifest.detector]
    if manifest.recogniser is not None:
        recognisers = [directory / manifest.recogniser]
    for task, found in (("detector", detectors), ("recogniser", recognisers)):
        if not found:
            raise PackIncomplete(name, f"No ONNX file in it is a {task}.")
        if len(found) > 1:
            files = ", ".join(path.name for path in found)
            raise PackCorrupt(name, f"Expected one {task}, found {files}; name it in {MANIFEST_FILE}.")
    return detectors[0], recognisers[0]


def _verify_model(name: str, path: Path, expected_sha256: str | None) -> str:
    if not path.is_file():
        raise PackIncomplete(name, f"{path.name} is not there.")
    digest = file_sha256(path)
    if expected_sha256 is not None and digest != expected_sha256.lower():
        raise PackCorrupt(name, f"{path.name} has sha256 {digest}; expected {expected_sha256.lower()}.")
    return digest


def _parse(name: str, path: Path) -> OnnxModel:
    model = read_model(path)
    if model is None:
        raise PackCorrupt(name, f"{path.name} cannot be parsed as ONNX: it is damaged or cut off.")
    return model
