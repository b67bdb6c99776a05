"""Whether two photos show the same person."""

from dataclasses import dataclass

from deployments.decisions.errors import UnusableImage
from deployments.decisions.photos import SelectedFace, selected
from deployments.decisions.recognition import Decision, match_threshold, similarity, single_face_options
from deployments.decisions.search import decided
from deployments.decisions.side_by_side import side_by_side
from deployments.ports import EmbedderPort, EmbedderResult, Services, Unavailable
from encoders.errors import ImageError
from encoders.types import AnalyzeOptions
from store.types import Collection


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """Two faces and their similarity, a cosine."""

    source: SelectedFace
    target: SelectedFace
    similarity: float
    threshold: float

    @property
    def decision(self) -> Decision:
        """Whether the two are similar enough."""
        return decided(self.similarity, self.threshold)


async def compare_photos(
    services: Services,
    source: bytes,
    target: bytes,
    *,
    collection: Collection | None = None,
    threshold: float | None = None,
) -> Comparison:
    """Return how similar the selected faces of the photos `source` and `target` are.

    `collection`: whose detection profile and threshold count. Raises UnusableImage and NoFaceFound, which name the
    photo, Overloaded and Unavailable.
    """
    options = single_face_options(None if collection is None else collection.detection)
    source_result, target_result = await side_by_side(
        _analyze(services.embedder, "source", source, options), _analyze(services.embedder, "target", target, options)
    )
    if source_result.model.contract.id != target_result.model.contract.id:  # while a new pack is rolled out
        raise Unavailable("embedder")
    first, second = selected(source_result, "source"), selected(target_result, "target")
    if threshold is None:
        default = match_threshold(source_result.model, services.tuning_source.tuning)
        threshold = default if collection is None else collection.threshold
    return Comparison(first, second, similarity(first.embedding, second.embedding), threshold)


async def _analyze(embedder: EmbedderPort, name: str, photo: bytes, options: AnalyzeOptions) -> EmbedderResult:
    try:
        return await embedder.analyze(photo, options)
    except ImageError as error:
        raise UnusableImage(name, error) from error
