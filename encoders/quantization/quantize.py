"""Makes the int8 twin of a model pack, and lets it stand in for its parent only if it measures up on unseen photos.

On a CPU with VNNI int8 makes buffalo_l's models two to four times faster, but hardly SCRFD-500MF, and a MobileFaceNet
with PReLU not at all: the report has the times. Without VNNI it gains nothing, and ONNX Runtime's kernels may saturate,
so that a report made elsewhere would not hold there. On a GPU use fp16 instead.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from encoders.errors import ImageError, PackError
from encoders.pack_encoder import InsightFacePackEncoder
from encoders.packs.catalog import KNOWN_PACKS
from encoders.packs.directory import Pack, open_pack, verify_pack
from encoders.packs.install import install, is_legal_text
from encoders.packs.manifest import PackManifest, write_manifest
from encoders.packs.quantization_report import Cost, QuantizationReport, write_report
from encoders.quantization.compare import ComparedPhoto, compare, cosines
from encoders.quantization.models import RECIPE, BlobFiles, Recorder, answers_of, least_ms, quantize_model
from encoders.runtimes.processor import has_vnni
from encoders.runtimes.sessions import open_session
from encoders.types import AnalyzeOptions, Face

PHOTO_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".heic"))

HELD_OUT_EVERY = 3  # every third photo measures and does not calibrate
# From 4 photos SCRFD-500MF keeps its embeddings to a mean cosine of 0.985, from 11 to 0.989; more is better, above all
# photos from the cameras that will be used.
MIN_CALIBRATION_PHOTOS = 8
MIN_CALIBRATION_FACES = 8
MIN_HELD_OUT_FACES = 4
MAX_PHOTOS = 300  # SCRFD-10GF and ResNet-50 take some 10 minutes for these on two cores

DETECTOR_FILE = "detector_int8.onnx"
RECOGNISER_FILE = "recogniser_int8.onnx"

# Told the stage, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]

Blob = npt.NDArray[np.float32]


class TooFewFaces(PackError):
    """there are too few photos to quantise it on."""

    code = "quantization_too_few_faces"


class QuantizationRefused(PackError):
    """its int8 twin strays too far from it, and was not kept."""

    code = "quantization_refused"

    def __init__(self, pack: str, reason: str, report: QuantizationReport) -> None:
        super().__init__(pack, reason)
        self.args = (pack, reason, report)  # what pickling calls the class with
        self.report = report


@dataclass(frozen=True, eq=False, slots=True)
class _SeenPhoto:
    """A photo as the fp32 pack sees it; `crops` and `embeddings` are the recogniser's inputs and raw outputs."""

    path: Path
    is_held_out: bool
    faces: tuple[Face, ...]
    crops: tuple[Blob, ...]  # each (n, 3, 112, 112)
    embeddings: tuple[Blob, ...]  # each (n, 512)


def find_photos(directory: Path) -> tuple[list[Path], dict[Path, str]]:
    """Return the photos anywhere in `directory`, and for those in a folder of it, that folder: the person's name."""
    photos = sorted(path for path in directory.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file())
    return photos, {path: path.parent.name for path in photos if path.parent.parent == directory}


def quantize_pack(
    pack: Pack,
    photos: Sequence[Path],
    target_models_dir: Path,
    name: str,
    people: Mapping[Path, str] | None = None,
    threads: int = 1,
    progress: Progress = lambda stage, done, total: None,
) -> QuantizationReport:
    """Write the int8 twin of `pack` as `name` into `target_models_dir`, and return how far it strays from `pack`.

    Two thirds of `photos`, chosen by their content's digest, calibrate; the others measure. `people` says who the
    largest face of a photo is. The twin inherits licence, threshold and embedding contract, so that galleries stay
    valid. Raises TooFewFaces for too small a set and QuantizationRefused, with nothing written, for a twin under the
    bar of `encoders.packs.quantization_report`; besides these what `install` raises.
    """
    if pack.contract_digest is not None:
        raise PackError(pack.name, "It is quantised already; begin with the pack that it was made from.")
    if name in KNOWN_PACKS or name == pack.name:
        raise PackError(name, "The quantised pack needs a name of its own.")
    if (target_models_dir / name).exists():
        raise PackError(name, "There already is a pack of this name.")
    components = verify_pack(pack)
    chosen = sorted(photos, key=_content_digest)[:MAX_PHOTOS]
    held_out = set(chosen[::HELD_OUT_EVERY])
    if len(chosen) - len(held_out) < MIN_CALIBRATION_PHOTOS:
        _require(pack.name, len(chosen) - len(held_out), MIN_CALIBRATION_PHOTOS, "photos to calibrate on")

    reports: list[QuantizationReport] = []

    def fill(directory: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            detector_inputs = BlobFiles(_folder(scratch, "detector"))
            crops = BlobFiles(_folder(scratch, "recogniser"))
            seen = _see(pack, chosen, held_out, detector_inputs, crops, threads, progress)
            held_out_faces = sum(len(photo.faces) for photo in seen if photo.is_held_out)
            _require(pack.name, len(crops), MIN_CALIBRATION_FACES, "faces to calibrate on")
            _require(pack.name, held_out_faces, MIN_HELD_OUT_FACES, "faces to measure on")
            for stage, source, target, inputs in (
                ("detector", pack.detector, directory / DETECTOR_FILE, detector_inputs),
                ("recogniser", pack.recogniser, directory / RECOGNISER_FILE, crops),
            ):
                total = len(inputs)
                quantize_model(source, target, inputs, lambda done, s=stage, n=total: progress(s, done, n))  # type: ignore[misc]
            calibration_faces = len(crops)
        # Without the contract yet: that is believed only with the report, which is still to be made.
        manifest = PackManifest(
            version=pack.version,
            licence=pack.licence,
            commercial_use=pack.commercial_use,
            default_threshold=pack.default_threshold,
            detector=DETECTOR_FILE,
            recogniser=RECOGNISER_FILE,
            detector_inputs=pack.detector_inputs,
        )
        write_manifest(directory, manifest)
        for path in pack.directory.iterdir():
            if is_legal_text(path.name):
                shutil.copyfile(path, directory / path.name)
        twin = open_pack(directory, name)
        detector, recogniser = verify_pack(twin)
        compared = compare(_look_again(twin, seen, threads, progress), people or {}, pack.default_threshold)
        measured = [photo for photo in seen if photo.is_held_out]
        inputs_seen = [blob for photo in measured for blob in photo.crops]
        answers = answers_of(twin.recogniser, name, inputs_seen, threads)
        report = QuantizationReport(
            pack=name,
            parent=pack.name,
            recipe=RECIPE,
            contract_digest=components[1].sha256,
            detector_sha256=detector.sha256,
            recogniser_sha256=recogniser.sha256,
            threshold=pack.default_threshold,
            calibration_photos=len(seen) - len(measured),
            calibration_faces=calibration_faces,
            held_out_photos=len(measured),
            held_out_faces=held_out_faces,
            unreadable_photos=len(chosen) - len(seen),
            photos_left_out=len(photos) - len(chosen),
            detection=compared.detection,
            recogniser=cosines(
                [row for photo in measured for batch in photo.embeddings for row in batch],
                [row for batch in answers for row in batch],
            ),
            whole_path=compared.whole_path,
            int8_pairs=compared.int8_pairs,
            mixed_pairs=compared.mixed_pairs,
            verification=compared.verification,
            detector_cost=_cost(pack.detector, twin.detector, name, (1, 3, 640, 640)),
            recogniser_cost=_cost(pack.recogniser, twin.recogniser, name, (1, 3, 112, 112)),
            processor_has_vnni=has_vnni(),
        )
        if report.failures:
            raise QuantizationRefused(pack.name, "; ".join(report.failures) + ".", report)
        write_report(directory, report)
        write_manifest(directory, _with_contract(manifest, report))
        reports.append(report)

    install(target_models_dir, name, fill, "refuse")
    return reports[0]


def _see(
    pack: Pack,
    photos: Sequence[Path],
    held_out: set[Path],
    detector_inputs: BlobFiles,
    crops: BlobFiles,
    threads: int,
    progress: Progress,
) -> list[_SeenPhoto]:
    """Return the photos that can be read as `pack` sees them, and collect what its models saw to calibrate on."""
    recorder = Recorder()
    encoder = InsightFacePackEncoder(pack, threads=threads, open_session=recorder.open)
    detector, recogniser = recorder.sessions
    detector.take(), recogniser.take()  # the encoder's warm-up
    seen = []
    for number, path in enumerate(photos, start=1):
        try:
            # Looks at turned photos, four tiles in one picture, would widen the ranges for the photos that count.
            analysis = encoder.analyze(path.read_bytes(), AnalyzeOptions(turns=False))
        except ImageError:
            continue
        finally:
            looked, embedded = detector.take(), recogniser.take()
            progress("photos", number, len(photos))
        if path in held_out:
            blobs, answers = tuple(blob for blob, _ in embedded), tuple(answer for _, answer in embedded)
            seen.append(_SeenPhoto(path, True, analysis.faces, blobs, answers))
            continue
        for blob, _ in looked:
            detector_inputs.append(blob)
        for batch, _ in embedded:
            for index in range(len(batch)):
                crops.append(batch[index : index + 1])
        seen.append(_SeenPhoto(path, False, analysis.faces, (), ()))
    return seen


def _look_again(twin: Pack, seen: Sequence[_SeenPhoto], threads: int, progress: Progress) -> list[ComparedPhoto]:
    encoder = InsightFacePackEncoder(twin, threads=threads)
    compared = []
    for number, photo in enumerate(seen, start=1):
        faces = encoder.analyze(photo.path.read_bytes(), AnalyzeOptions()).faces
        compared.append(ComparedPhoto(photo.path, photo.is_held_out, photo.faces, faces))
        progress("comparison", number, len(seen))
    return compared


def _cost(fp32: Path, int8: Path, name: str, input_shape: tuple[int, ...]) -> Cost:
    fp32_ms, int8_ms = least_ms([open_session(model, name, "cpu", 1) for model in (fp32, int8)], input_shape, rounds=5)
    return Cost(fp32.stat().st_size, int8.stat().st_size, fp32_ms, int8_ms)


def _with_contract(manifest: PackManifest, report: QuantizationReport) -> PackManifest:
    return replace(
        manifest,
        detector_sha256=report.detector_sha256,
        recogniser_sha256=report.recogniser_sha256,
        contract_digest=report.contract_digest,
    )


def _require(name: str, found: int, wanted: int, what: str) -> None:
    if found < wanted:
        raise TooFewFaces(name, f"Expected at least {wanted} {what}, found {found}; a hundred are better.")


def _content_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder(parent: str, name: str) -> Path:
    folder = Path(parent) / name
    folder.mkdir()
    return folder
