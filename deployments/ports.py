"""What the HTTP layer needs of the rest of the service; the same over a Serve handle and in one process."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from configs.tuning import IngressTuning
from deployments.gallery_port import GalleryPort
from encoders.types import Analysis, AnalyzeOptions, ModelDescription


class Overloaded(Exception):
    """Too many requests are waiting; try again in a moment."""

    code: ClassVar[str] = "overloaded"

    def __str__(self) -> str:
        return type(self).__doc__ or self.code


class Unavailable(Exception):
    """A part of the service cannot be reached right now; try again."""

    code: ClassVar[str] = "unavailable"

    def __init__(self, part: str) -> None:
        super().__init__(part)
        self.part = part

    def __str__(self) -> str:
        return f"The {self.part} cannot be reached right now; try again."


class AnswerTooLarge(Exception):
    """The answer is larger than what parts of the service may send to each other; ask for less at once."""

    code: ClassVar[str] = "answer_too_large"

    def __str__(self) -> str:
        return type(self).__doc__ or self.code


@dataclass(frozen=True, eq=False, slots=True)
class EmbedderResult:
    """What a model saw in an image, and which model it was: replicas may differ while a new pack is rolled out.

    `waits`: how long the image waited for others, in times of what it took itself.
    """

    analysis: Analysis
    model: ModelDescription
    waits: float = 0.0


class EmbedderPort(Protocol):
    """Turns photos into faces."""

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        """Return the faces of `image`. Raises ImageError, Overloaded or Unavailable."""
        ...

    async def describe(self) -> ModelDescription:
        """Return the models that run. Raises Unavailable."""
        ...


class TuningSource(Protocol):
    """Where the knobs that change at run time are read, at each use."""

    @property
    def tuning(self) -> IngressTuning: ...


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of the HTTP layer."""

    embedder: EmbedderPort
    gallery: GalleryPort
    tuning_source: TuningSource
