"""What a quantised pack is measured by, the bar it must pass, and the file that says so beside its models."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from encoders.errors import PackCorrupt

REPORT_FILE = "quantization-report.json"

# The bar. On the same crops an int8 recogniser must stay closer to fp32 than fp32 stays to itself when a large photo is
# shrunk in another way (mean 0.987): measured 0.993, least 0.985. With the int8 detector, whose landmarks move the crop
# by a pixel or two, a face may move no more than 9 px cropped off its photo move it in fp32 (mean 0.971 to 0.979, least
# 0.816): measured 0.984, least 0.973.
MIN_MEAN_COSINE_OF_RECOGNISER = 0.99
MIN_COSINE_OF_RECOGNISER = 0.97
MIN_MEAN_COSINE_OF_PACK = 0.97
MIN_COSINE_OF_PACK = 0.90
MIN_MEAN_OVERLAP = 0.95  # of boxes; SCRFD-500MF keeps 0.981 to 0.988
MAX_SHARE_OF_FACES_LOST = 0.02  # and of faces found that fp32 does not find
# A pair this close to the threshold changes sides by any change of the photo. Farther off, none may.
DECISION_MARGIN = 0.05
MAX_LOSS_OF_ACCURACY = 0.01


@dataclass(frozen=True, slots=True)
class Detection:
    """Faces of the held-out photos: found by both, by fp32 alone, by int8 alone; overlap of the boxes of the first."""

    matched: int
    missed: int
    extra: int
    mean_overlap: float
    min_overlap: float


@dataclass(frozen=True, slots=True)
class Cosines:
    """Cosine of a face's int8 embedding to its fp32 one, over the held-out faces."""

    mean: float
    min: float
    percentile_1: float
    percentile_10: float
    median: float


@dataclass(frozen=True, slots=True)
class Pairs:
    """Similarity of two different photos' faces, one of them held out, minus what it is when both are fp32.

    `flips`: pairs on the other side of the pack's threshold; `flips_past_margin`: those not close to it in fp32.
    """

    count: int
    mean_shift: float
    max_shift: float
    flips: int
    flips_past_margin: int


@dataclass(frozen=True, slots=True)
class Verification:
    """Balanced accuracy at the pack's threshold over pairs of photos of named people, one of them held out.

    `mixed`: the gallery is fp32 and the probe int8, as when a service changes over to the quantised pack.
    """

    same: int
    different: int
    fp32: float
    int8: float
    mixed: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes of a model's file, and the least time of one run on one thread of the machine that quantised it."""

    fp32_bytes: int
    int8_bytes: int
    fp32_ms: float
    int8_ms: float


@dataclass(frozen=True, slots=True)
class QuantizationReport:
    """How far a quantised pack strays from its fp32 parent, on photos that its calibration has not seen."""

    pack: str
    parent: str
    recipe: str
    contract_digest: str  # sha256 of the parent's recogniser: whose embeddings these may be compared with
    detector_sha256: str
    recogniser_sha256: str
    threshold: float
    calibration_photos: int
    calibration_faces: int
    held_out_photos: int
    held_out_faces: int
    unreadable_photos: int
    photos_left_out: int
    detection: Detection
    recogniser: Cosines  # on the crops that the fp32 pack cuts
    whole_path: Cosines  # each pack on its own boxes, landmarks and crops
    int8_pairs: Pairs
    mixed_pairs: Pairs  # int8 against fp32
    verification: Verification | None  # None where no held-out photo shows a person that has another photo
    detector_cost: Cost
    recogniser_cost: Cost
    processor_has_vnni: bool | None

    @property
    def failures(self) -> tuple[str, ...]:
        """Return what keeps the pack from being used in its parent's place, in words; nothing if it passes."""
        faces = self.detection.matched + self.detection.missed
        allowed = MAX_SHARE_OF_FACES_LOST * faces
        bars = [
            ("mean cosine of the recogniser", self.recogniser.mean, MIN_MEAN_COSINE_OF_RECOGNISER),
            ("least cosine of the recogniser", self.recogniser.min, MIN_COSINE_OF_RECOGNISER),
            ("mean cosine of the whole path", self.whole_path.mean, MIN_MEAN_COSINE_OF_PACK),
            ("least cosine of the whole path", self.whole_path.min, MIN_COSINE_OF_PACK),
            ("mean overlap of boxes", self.detection.mean_overlap, MIN_MEAN_OVERLAP),
        ]
        failures = [f"{what}: {found:.4f}, at least {bar:.2f} wanted" for what, found, bar in bars if not found >= bar]
        for what, found in (("missed", self.detection.missed), ("found in excess", self.detection.extra)):
            if found > allowed:
                failures.append(f"faces {what}: {found} of {faces}, at most {MAX_SHARE_OF_FACES_LOST:.0%} allowed")
        for what, pairs in (("int8", self.int8_pairs), ("int8 to fp32", self.mixed_pairs)):
            if pairs.flips_past_margin:
                failures.append(
                    f"pairs, {what}, that change sides: {pairs.flips_past_margin} of {pairs.count} "
                    f"farther than {DECISION_MARGIN} from the threshold"
                )
        if self.verification is not None:
            worst = min(self.verification.int8, self.verification.mixed)
            if worst < self.verification.fp32 - MAX_LOSS_OF_ACCURACY:
                failures.append(f"verification accuracy: {worst:.4f}, fp32 has {self.verification.fp32:.4f}")
        return tuple(failures)


def write_report(directory: Path, report: QuantizationReport) -> None:
    """Write `report` into the pack's `directory`."""
    fields = asdict(report) | {"failures": report.failures}
    (directory / REPORT_FILE).write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")


def require_report(directory: Path, name: str, contract_digest: str, detector: str, recogniser: str) -> None:
    """Raise PackCorrupt unless the report beside the models is of these very files and says that they passed.

    A manifest claims another recogniser's contract by `contract_digest` alone. The report ties that claim to both
    files' digests, so that neither a copied manifest nor an exchanged model takes it along. It is no signature: whoever
    may write into the models directory may serve any model in the first place.
    """
    try:
        fields = json.loads((directory / REPORT_FILE).read_text(encoding="utf-8"))
        stated = tuple(fields[key] for key in ("contract_digest", "detector_sha256", "recogniser_sha256", "failures"))
    except FileNotFoundError:
        raise PackCorrupt(name, f"Its manifest has a contract_digest, but {REPORT_FILE} is not there.") from None
    except (ValueError, KeyError, TypeError) as exc:
        raise PackCorrupt(name, f"{REPORT_FILE} is not a report of a quantisation.") from exc
    if stated != (contract_digest.lower(), detector, recogniser, []):
        raise PackCorrupt(name, f"{REPORT_FILE} does not vouch for these models: quantise the pack anew.")
