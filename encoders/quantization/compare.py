"""Compares the faces that two encoders find in the same photos: boxes, embeddings, and who is taken for whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from encoders.packs.quantization_report import DECISION_MARGIN, Cosines, Detection, Pairs, Verification
from encoders.types import Box, Face

MIN_OVERLAP = 0.5  # of two boxes that are of the same face

Embeddings = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class ComparedPhoto:
    """A photo's faces, largest first, as fp32 and as int8 see them."""

    path: Path
    is_held_out: bool
    fp32: tuple[Face, ...]
    int8: tuple[Face, ...]


@dataclass(frozen=True, eq=False, slots=True)
class _MatchedFace:
    photo: int
    is_held_out: bool
    person: str | None
    overlap: float
    fp32: Embeddings  # (512,)
    int8: Embeddings


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a report says of detection and embeddings."""

    detection: Detection
    whole_path: Cosines
    int8_pairs: Pairs
    mixed_pairs: Pairs
    verification: Verification | None


def compare(photos: Sequence[ComparedPhoto], people: Mapping[Path, str], threshold: float) -> Comparison:
    """Return how int8 differs from fp32 on the held-out photos, in pairs with all photos.

    `people`: who the largest face of a photo is, for those photos where that is known.
    """
    faces: list[_MatchedFace] = []
    missed = extra = 0
    for number, photo in enumerate(photos):
        matched = _match(photo, number, people.get(photo.path))
        faces.extend(matched)
        if photo.is_held_out:
            missed += len(photo.fp32) - len(matched)
            extra += len(photo.int8) - len(matched)
    held_out = [face for face in faces if face.is_held_out]
    overlaps = [face.overlap for face in held_out] or [0.0]
    first, second = _pairs(faces)
    return Comparison(
        detection=Detection(len(held_out), missed, extra, float(np.mean(overlaps)), min(overlaps)),
        whole_path=cosines([face.fp32 for face in held_out], [face.int8 for face in held_out]),
        int8_pairs=_shifts(faces, first, second, threshold, probe_against_fp32=False),
        mixed_pairs=_shifts(faces, first, second, threshold, probe_against_fp32=True),
        verification=_verify(faces, first, second, threshold),
    )


def cosines(fp32: Sequence[Embeddings], int8: Sequence[Embeddings]) -> Cosines:
    """Return the cosines of vectors (n,) of any length, pairwise; all 0 where there is none."""
    if not fp32:
        return Cosines(0.0, 0.0, 0.0, 0.0, 0.0)
    found = (_unit(np.array(fp32)) * _unit(np.array(int8))).sum(axis=1)  # (n,)
    low, lower_tenth, middle = np.percentile(found, (1, 10, 50))
    return Cosines(float(found.mean()), float(found.min()), float(low), float(lower_tenth), float(middle))


def overlap(one: Box, other: Box) -> float:
    """Return intersection over union."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(0.0, width) * max(0.0, height)
    union = one.area + other.area - shared
    return shared / union if union > 0 else 0.0


def _match(photo: ComparedPhoto, number: int, person: str | None) -> list[_MatchedFace]:
    """Return the faces that both see, each int8 face taken once, the best overlaps first."""
    candidates = sorted(
        ((overlap(a.box, b.box), i, j) for i, a in enumerate(photo.fp32) for j, b in enumerate(photo.int8)),
        reverse=True,
    )
    matched: dict[int, tuple[int, float]] = {}
    for shared, i, j in candidates:
        if shared >= MIN_OVERLAP and i not in matched and j not in {taken for taken, _ in matched.values()}:
            matched[i] = (j, shared)
    faces = []
    for i, (j, shared) in sorted(matched.items()):
        fp32, int8 = photo.fp32[i].embedding, photo.int8[j].embedding
        assert fp32 is not None and int8 is not None
        faces.append(_MatchedFace(number, photo.is_held_out, person if i == 0 else None, shared, fp32, int8))
    return faces


def _pairs(faces: Sequence[_MatchedFace]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the indices of every pair of faces of two photos with the first one, the probe, held out."""
    photo = np.array([face.photo for face in faces], int)
    is_held_out = np.array([face.is_held_out for face in faces], bool)
    wanted = is_held_out[:, None] & (photo[:, None] != photo[None, :])  # (n, n)
    both = is_held_out[:, None] & is_held_out[None, :]
    wanted &= ~(both & (photo[:, None] > photo[None, :]))  # a pair of two held-out faces once
    first, second = np.nonzero(wanted)
    return first, second


def _similarities(
    faces: Sequence[_MatchedFace], first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]
) -> tuple[Embeddings, Embeddings, Embeddings]:
    """Return the pairs' similarities (p,) in fp32, in int8, and of int8 probes to fp32 faces."""
    if not len(first):
        return (np.empty(0, np.float32),) * 3
    fp32 = np.array([face.fp32 for face in faces])  # (n, 512)
    int8 = np.array([face.int8 for face in faces])
    return (fp32 @ fp32.T)[first, second], (int8 @ int8.T)[first, second], (int8 @ fp32.T)[first, second]


def _shifts(
    faces: Sequence[_MatchedFace],
    first: npt.NDArray[np.intp],
    second: npt.NDArray[np.intp],
    threshold: float,
    probe_against_fp32: bool,
) -> Pairs:
    before, int8, mixed = _similarities(faces, first, second)
    after = mixed if probe_against_fp32 else int8
    if not len(before):
        return Pairs(0, 0.0, 0.0, 0, 0)
    flips = (before >= threshold) != (after >= threshold)
    past = flips & (np.abs(before - threshold) > DECISION_MARGIN)
    shifts = after - before
    return Pairs(len(before), float(shifts.mean()), float(np.abs(shifts).max()), int(flips.sum()), int(past.sum()))


def _verify(
    faces: Sequence[_MatchedFace], first: npt.NDArray[np.intp], second: npt.NDArray[np.intp], threshold: float
) -> Verification | None:
    named = [
        (one, other)
        for one, other in zip(first.tolist(), second.tolist(), strict=True)
        if faces[one].person is not None and faces[other].person is not None
    ]
    is_same = np.array([faces[one].person == faces[other].person for one, other in named], bool)
    if not is_same.any() or is_same.all():
        return None
    ones, others = (np.array(indices, np.intp) for indices in zip(*named, strict=True))
    fp32, int8, mixed = (
        float(((found >= threshold)[is_same].mean() + (found < threshold)[~is_same].mean()) / 2)
        for found in _similarities(faces, ones, others)
    )
    return Verification(int(is_same.sum()), int((~is_same).sum()), fp32, int8, mixed)


def _unit(vectors: Embeddings) -> Embeddings:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
