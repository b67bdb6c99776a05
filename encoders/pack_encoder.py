"""The encoder of a model pack: SCRFD finds the faces, ArcFace embeds them, on ONNX Runtime or OpenVINO."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from encoders.detection.detector import SCALING, Detections, ScrfdDetector
from encoders.detection.rotation import back, is_in_doubt, likely_rotation, rotated, rotated_points
from encoders.detection.selection import select
from encoders.detection.single_face import find_largest_face
from encoders.errors import EncoderBroken
from encoders.images.decoding import Decoded, ImageLimits, decode, encode_jpeg
from encoders.packs.catalog import EMBEDDING_DIMENSION
from encoders.packs.directory import Pack, verify_pack
from encoders.recognition.alignment import CROP_PX, cut, enlargement, similarity_to_template
from encoders.recognition.quality import measure
from encoders.recognition.recogniser import ArcFaceRecogniser, scaling_of
from encoders.runtimes.networks import InputSize
from encoders.runtimes.opening import SessionOpener, open_network, traits_of
from encoders.runtimes.sessions import open_session, release_unused_memory
from encoders.types import (
    Analysis,
    AnalyzeOptions,
    Box,
    EmbeddingContract,
    Face,
    ModelDescription,
    Rotation,
    Sighting,
    Stages,
)

PREPROCESSING_VERSION = "arcface-112-v1"  # five-point similarity to ArcFace's template, BGR to RGB, (x - 127.5) / 127.5

# A JPEG is decoded to no less than this many times the detector's longer side. At 2, photos from 2,560 px are reduced,
# which takes 22 ms instead of 55 for 12 megapixels. That loses nothing: the photo in full, averaged to that size, gives
# the same embeddings, cosine 0.9991 in the mean for 129 faces, the least 0.984. SCRFD would sample the full photo
# instead, which picks other pixels and so moves landmarks: 0.987 in the mean, to either of the two.
DECODE_MARGIN = 2
USUAL_INPUT = (640, 640)  # as InsightFace's FaceAnalysis has it


class InsightFacePackEncoder:
    """Finds and embeds faces with the two models of `pack`. Ready, with both models warm, once it is constructed.

    `provider`: "cpu", "openvino", "cuda" or "tensorrt"; `threads`: for one run of a model. `detection_input`: what the
    detector looks at, by default what the pack says. `close_up_input`: tried
    when the detector finds nothing at its own input. Of 26 photos cropped to the face's box, SCRFD finds none at 640
    and all at 320.
    Raises PackError for unusable files and ProviderUnavailable when the models would run on something else.
    """

    def __init__(
        self,
        pack: Pack,
        provider: str = "cpu",
        threads: int = 1,
        limits: ImageLimits | None = None,
        detection_input: InputSize | None = None,
        detection_threshold: float = 0.5,
        nms_threshold: float = 0.4,
        close_up_input: InputSize = (320, 320),
        engine_cache: Path | None = None,
        open_session: SessionOpener = open_session,
    ) -> None:
        cv2.setNumThreads(1)  # OpenCV's pool has one thread per core of the host, whatever this process may use
        components = verify_pack(pack)
        traits = traits_of(provider)
        self._batches_pay = traits.batches_pay
        self._looks_at_once = threads if traits.looks_in_parallel else 1
        self._detector = ScrfdDetector(
            open_network(pack.detector, pack.name, SCALING, provider, threads, (1,), engine_cache, open_session),
            traits.shapes,
        )
        self._recogniser = ArcFaceRecogniser(
            open_network(
                pack.recogniser,
                pack.name,
                scaling_of(pack.recogniser),
                provider,
                threads,
                traits.batch_sizes,
                engine_cache,
                open_session,
            ),
            traits.batch_sizes,
        )
        self._limits = limits or ImageLimits()
        self._input_sizes = (detection_input,) if detection_input else pack.detector_inputs or (USUAL_INPUT,)
        self._close_up_input = close_up_input
        self._detection_threshold = detection_threshold
        self._nms_threshold = nms_threshold
        self._model = ModelDescription(
            pack=pack.name,
            version=pack.version,
            provider=provider,
            contract=EmbeddingContract(
                model_id=pack.name,
                model_version=pack.version,
                model_digest=(pack.contract_digest or components[1].sha256).lower(),
                dimension=EMBEDDING_DIMENSION,
                preprocessing_version=PREPROCESSING_VERSION,
            ),
            components=components,
            licence=pack.licence,
            commercial_use=pack.commercial_use,
            default_threshold=pack.default_threshold,
            detector_inputs=self._input_sizes,
        )
        for size in (*self._input_sizes, close_up_input):
            self._find_all(np.zeros((size[1], size[0], 3), np.uint8), (size,), AnalyzeOptions())
        self._answer_at_start = self._embed_test_crop()
        release_unused_memory()

    @property
    def model(self) -> ModelDescription:
        return self._model

    @property
    def stages(self) -> Stages | None:
        return self if self._batches_pay else None

    @property
    def looks_at_once(self) -> int:
        return self._looks_at_once

    @property
    def largest_batch(self) -> int:
        return self._recogniser.batch_sizes[-1]

    def analyze(self, image: bytes, options: AnalyzeOptions) -> Analysis:
        """Return the faces in `image`, a compressed picture. Raises ImageError for a picture that cannot be used."""
        sighting = self.find(image, options)
        if not sighting.crops:
            return sighting.analysis
        started = time.perf_counter()
        embeddings = self.embed(sighting.crops)
        return sighting.embedded(embeddings, (time.perf_counter() - started) * 1e3)

    def find(self, image: bytes, options: AnalyzeOptions) -> Sighting:
        """Return the faces in `image`, not embedded yet. Raises ImageError for a picture that cannot be used."""
        started = time.perf_counter()
        input_sizes = options.input_sizes or self._input_sizes
        decoded = decode(image, self._limits, enough_px=DECODE_MARGIN * max(max(size) for size in input_sizes))
        decode_s = time.perf_counter() - started

        started = time.perf_counter()
        look = self._look_upright(decoded.pixels, input_sizes, options)
        upright = _rotated(decoded, look.rotation)
        detect_s = time.perf_counter() - started

        chosen = select(look.found, options, upright.pixels.shape[1], upright.pixels.shape[0])
        started = time.perf_counter()
        source = self._pixels_to_cut_from(image, upright, chosen, look.rotation)
        decode_s += time.perf_counter() - started

        started = time.perf_counter()
        aligned = _align(source, upright.reduction, chosen)
        faces = (_describe(face, crop, options) for face, crop in aligned)
        analysis = Analysis(
            width=decoded.width,
            height=decoded.height,
            faces=tuple(_as_sent(face, look.rotation, upright.width, upright.height) for face in faces),
            faces_found=len(look.found),
            decode_ms=decode_s * 1e3,
            detect_ms=detect_s * 1e3,
            embed_ms=(time.perf_counter() - started) * 1e3,
            looked_in_full=look.is_in_full,
            rotation=look.rotation,
        )
        return Sighting(analysis, tuple(crop for _, crop in aligned) if options.embed else ())

    def embed(self, crops: Sequence[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.float32]]:
        """Return a float32 (512,), L2-normalised, for each aligned BGR crop. Raises EncoderBroken."""
        return self._recogniser.embed(crops)

    def check(self) -> None:
        """Raise EncoderBroken when the recogniser no longer gives the embedding that it gave at start."""
        if float(self._embed_test_crop() @ self._answer_at_start) < 0.999:
            raise EncoderBroken

    def _look_upright(
        self, pixels: npt.NDArray[np.uint8], input_sizes: tuple[InputSize, ...], options: AnalyzeOptions
    ) -> "_Look":
        """Return the faces in `pixels`, or in `pixels` turned if they are more certain there."""
        look = self._look(pixels, input_sizes, options)
        if not options.turns or not is_in_doubt(look.found):
            return look
        rotation = likely_rotation(self._detector, pixels, look.found, input_sizes[0])
        if rotation == 0:
            return look
        turned = self._look(rotated(pixels, rotation), input_sizes, options)
        if turned.found.scores.max(initial=0.0) <= look.found.scores.max(initial=0.0):
            return look
        return replace(turned, rotation=rotation)

    def _look(
        self, pixels: npt.NDArray[np.uint8], input_sizes: tuple[InputSize, ...], options: AnalyzeOptions
    ) -> "_Look":
        largest = self._find_largest(pixels, input_sizes, options)
        if largest is None:
            return _Look(self._find_all(pixels, input_sizes, options), is_in_full=True)
        return _Look(largest, is_in_full=False)

    def _find_largest(
        self, pixels: npt.NDArray[np.uint8], input_sizes: tuple[InputSize, ...], options: AnalyzeOptions
    ) -> Detections | None:
        """Return what `find_largest_face` finds; None if the answer needs more than that, or is no faster with it.

        For "center_largest" it is none: a face that a small look misses wins when it is central enough. It would tell
        in one of six of 718 pictures, and cost 7% more in the mean.
        """
        if options.selection != "largest" or options.counts_faces:
            return None
        if len(input_sizes) > 1 or not self._detector.takes_windows:
            return None
        return find_largest_face(self._detector, pixels, input_sizes[0], *self._thresholds(options))

    def _find_all(
        self, pixels: npt.NDArray[np.uint8], input_sizes: tuple[InputSize, ...], options: AnalyzeOptions
    ) -> Detections:
        thresholds = self._thresholds(options)
        found = self._detector.detect(pixels, input_sizes, *thresholds)
        if len(found) == 0 and input_sizes == self._input_sizes:
            return self._detector.detect(pixels, (self._close_up_input,), *thresholds)
        return found

    def _thresholds(self, options: AnalyzeOptions) -> tuple[float, float]:
        """Return from which score on a face is one, and from which overlap on two are the same."""
        threshold = options.detection_threshold
        nms_threshold = options.nms_threshold
        return (
            self._detection_threshold if threshold is None else threshold,
            self._nms_threshold if nms_threshold is None else nms_threshold,
        )

    def _pixels_to_cut_from(self, image: bytes, decoded: Decoded, chosen: Detections, rotation: Rotation) -> Decoded:
        """Return `decoded`, turned by `rotation`, or all of its picture when a chosen face has fewer than 112 px in it.

        A face that its crop shrinks anyway loses nothing in a reduced picture; one that it enlarges does.
        """
        if decoded.reduction == 1:
            return decoded
        transforms = [similarity_to_template(points) for points in chosen.landmarks]
        if all(transform is None or enlargement(transform) <= 1 for transform in transforms):
            return decoded
        return _rotated(decode(image, self._limits), rotation)

    def _embed_test_crop(self) -> npt.NDArray[np.float32]:
        pixels = np.arange(CROP_PX * CROP_PX * 3, dtype=np.uint32) * 2654435761 >> 24  # Knuth's hash: constant noise
        return self._recogniser.embed([pixels.astype(np.uint8).reshape(CROP_PX, CROP_PX, 3)])[0]


@dataclass(frozen=True, eq=False, slots=True)
class _Look:
    """The faces found in the decoded picture, turned clockwise by `rotation`."""

    found: Detections
    is_in_full: bool
    rotation: Rotation = 0


@dataclass(frozen=True, eq=False, slots=True)
class _Found:
    """A detected face in pixels of the full picture."""

    box: npt.NDArray[np.float32]  # (4,)
    score: float
    landmarks: npt.NDArray[np.float32]  # (5, 2)


def _rotated(decoded: Decoded, rotation: Rotation) -> Decoded:
    if rotation == 0:
        return decoded
    width, height = (decoded.width, decoded.height) if rotation == 180 else (decoded.height, decoded.width)
    return Decoded(rotated(decoded.pixels, rotation), width, height, decoded.reduction)


def _as_sent(face: Face, rotation: Rotation, width: int, height: int) -> Face:
    """Return `face` of the turned picture, `width` x `height` pixels, where it is in the picture as it came."""
    if rotation == 0:
        return face
    edges = np.array([[face.box.left, face.box.top], [face.box.right, face.box.bottom]], np.float32)
    corners = rotated_points(edges, back(rotation), width, height)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    landmarks = rotated_points(face.landmarks, back(rotation), width, height)
    return replace(face, box=Box(left, top, right, bottom), landmarks=landmarks)


def _align(source: Decoded, reduction: int, chosen: Detections) -> list[tuple[_Found, npt.NDArray[np.uint8]]]:
    """Return the chosen faces with their crops; `reduction` is that of their coordinates.

    A face whose landmarks fall on one point cannot be aligned and is none.
    """
    aligned = []
    for box, score, landmarks in zip(
        chosen.boxes * reduction, chosen.scores, chosen.landmarks * reduction, strict=True
    ):
        # By the centres of pixels, which a reduced picture has at other places: a crop of either picture is the same.
        transform = similarity_to_template((landmarks + 0.5) / source.reduction - 0.5)
        if transform is not None:
            aligned.append((_Found(box, float(score), landmarks.copy()), cut(source.pixels, transform)))
    return aligned


def _describe(face: _Found, crop: npt.NDArray[np.uint8], options: AnalyzeOptions) -> Face:
    return Face(
        box=Box(*(float(edge) for edge in face.box)),
        landmarks=face.landmarks,
        detection_score=face.score,
        quality=measure(crop, face.landmarks),
        crop=encode_jpeg(crop) if options.crop else None,
    )
