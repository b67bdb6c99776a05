"""The values that encoders take and give: options in, faces out."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Selection = Literal["all", "largest", "center_largest"]
Rotation = Literal[0, 90, 180, 270]  # degrees clockwise

CONTRACT_PREFIX = "faceserve-v1-sha256:"  # a new meaning of the hash takes a new prefix


@dataclass(frozen=True, slots=True)
class Box:
    """A face's box in pixels of the image as sent, its EXIF orientation applied; may reach past the image's edges.

    The origin is top left. In an image whose `Analysis.rotation` is not 0 the face in the box is not upright.
    """

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return max(0.0, self.right - self.left)

    @property
    def height(self) -> float:
        return max(0.0, self.bottom - self.top)

    @property
    def area(self) -> float:
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Quality:
    """How usable a face is: `score`, `sharpness`, `brightness` and `pose` in [0, 1]; angles in degrees."""

    score: float
    sharpness: float
    brightness: float
    pose: float
    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, eq=False, slots=True)
class Face:
    """One face of an image.

    `landmarks`: float32 (5, 2), pixels of the image as its box: left eye, right eye, nose, left and right mouth corner
    as seen by the viewer of the upright face. `quality` and `crop` are those of the upright face. `embedding`: float32
    (512,), L2-normalised, or None when none was asked for or the face was not selected. `crop`: the aligned 112x112
    face as JPEG, when asked for.
    """

    box: Box
    landmarks: npt.NDArray[np.float32]
    detection_score: float
    quality: Quality
    embedding: npt.NDArray[np.float32] | None = None
    crop: bytes | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Analysis:
    """The faces of one image, largest first, with the image's size in pixels, its EXIF orientation applied.

    `faces_found` counts the detected faces, also those that the selection left out. If `looked_in_full` is false, one
    face was asked for and the detector looked no further than it had to: there may be more. Stage times in
    milliseconds.
    """

    width: int
    height: int
    faces: tuple[Face, ...]
    faces_found: int
    decode_ms: float
    detect_ms: float
    embed_ms: float
    looked_in_full: bool = True
    rotation: Rotation = 0


@dataclass(frozen=True, eq=False, slots=True)
class Sighting:
    """The faces of one image, found and aligned; what is left to do is to embed them.

    `analysis`: without embeddings. `crops`: uint8 (112, 112, 3), BGR, of each of its faces, in their order; none when
    no embeddings were asked for.
    """

    analysis: Analysis
    crops: tuple[npt.NDArray[np.uint8], ...]

    def embedded(self, embeddings: Sequence[npt.NDArray[np.float32]], embed_ms: float) -> Analysis:
        """Return the analysis with the embeddings of `crops`."""
        if not self.crops:
            return self.analysis
        faces = tuple(
            replace(face, embedding=embedding) for face, embedding in zip(self.analysis.faces, embeddings, strict=True)
        )
        return replace(self.analysis, faces=faces, embed_ms=self.analysis.embed_ms + embed_ms)


@dataclass(frozen=True, slots=True)
class AnalyzeOptions:
    """What to look for in an image.

    `selection`: every face, or the one that is largest, or the one that is large and central (area minus twice the
    squared distance of its centre to the image's centre, as insightface's FaceAnalysis does). None means the
    encoder's own default. `input_sizes`: detector inputs, (width, height) in pixels; candidates of all are merged.
    `counts_faces`: the answer's `faces_found` must count every face also when only one is selected. `turns`: whether to
    look at the image turned where the faces in it are in doubt.
    """

    selection: Selection = "all"
    embed: bool = True
    crop: bool = False
    max_faces: int = 100
    detection_threshold: float | None = None
    nms_threshold: float | None = None
    input_sizes: tuple[tuple[int, int], ...] | None = None
    counts_faces: bool = False
    turns: bool = True


@dataclass(frozen=True, slots=True)
class EmbeddingContract:
    """What makes two embeddings comparable: the recogniser's weights, its dimension and the preprocessing."""

    model_id: str
    model_version: str
    model_digest: str  # sha256 of the recogniser's file, hex
    dimension: int
    preprocessing_version: str

    @property
    def id(self) -> str:
        """Return the contract's stable identity; packs that share a recogniser share it."""
        canonical = json.dumps([self.model_digest.lower(), self.dimension, self.preprocessing_version])
        return CONTRACT_PREFIX + hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ModelComponent:
    """One model file of a pack."""

    task: Literal["detection", "recognition"]
    file: str
    sha256: str
    input_size: tuple[int, int] | None
    embedding_dimension: int | None


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """Which models an encoder runs, on what, under which licence, and from which similarity on it calls a match.

    `detector_inputs`: width and height of the inputs that the detector looks at where nobody says otherwise, merged.
    """

    pack: str
    version: str
    provider: str
    contract: EmbeddingContract
    components: tuple[ModelComponent, ...]
    licence: str
    commercial_use: bool
    default_threshold: float
    detector_inputs: tuple[tuple[int, int], ...] = ((640, 640),)


class Stages(Protocol):
    """The two halves of `Encoder.analyze`, of an encoder whose faces cost less together than one by one."""

    @property
    def looks_at_once(self) -> int:
        """From how many threads `find` may be called."""
        ...

    @property
    def largest_batch(self) -> int:
        """How many faces it pays to embed at once."""
        ...

    def find(self, image: bytes, options: AnalyzeOptions) -> Sighting:
        """Return the faces in `image`, a compressed picture. Raises ImageError for a picture that cannot be used."""
        ...

    def embed(self, crops: Sequence[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.float32]]:
        """Return a float32 (512,), L2-normalised, for each aligned face, as if it were alone."""
        ...


class Encoder(Protocol):
    """Finds and embeds the faces of an image. `analyze` may be called from one thread at a time."""

    @property
    def model(self) -> ModelDescription: ...

    @property
    def stages(self) -> Stages | None:
        """The same in two halves, if it pays to embed the faces of several images together."""
        ...

    def analyze(self, image: bytes, options: AnalyzeOptions) -> Analysis:
        """Return the faces in `image`, a compressed picture. Raises ImageError for a picture that cannot be used."""
        ...

    def check(self) -> None:
        """Raise EncoderBroken when the loaded models no longer give the answer they gave at start."""
        ...
