"""What can change while the service runs: the `user_config` of each deployment in the Serve YAML."""

from pydantic import Field

from configs.frozen import Frozen

MAX_FACES = 100  # of one image: requests, collections and deployments may ask for fewer


class IngressTuning(Frozen):
    """How similarities become decisions, and what a reviewed enrolment asks of a face."""

    match_threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Similarity of a match for `compare` and for new collections; by default the model pack's own.",
    )
    uncertain_band: float = Field(
        default=0.05, ge=0, le=1, description="Similarities this far below the threshold are `uncertain`."
    )
    minimum_margin: float = Field(
        default=0.03, ge=0, le=1, description="A best candidate this close to the runner-up is `uncertain`."
    )
    min_face_px: float = Field(default=40, ge=0, le=4096, description="Reviewed enrolment: shortest side of the face.")
    min_detection_score: float = Field(default=0.5, ge=0, le=1, description="Reviewed enrolment: detector's score.")
    min_quality: float = Field(default=0.25, ge=0, le=1, description="Reviewed enrolment: quality score.")
    max_pose_degrees: float = Field(default=45, ge=0, le=180, description="Reviewed enrolment: largest angle.")


class EmbedderTuning(Frozen):
    """How faces are found when a collection does not say."""

    detection_threshold: float = Field(
        default=0.5, ge=0, le=1, description="Lowest detection score of a face, for requests without a collection."
    )
    nms_threshold: float = Field(
        default=0.4,
        ge=0,
        le=1,
        description="Overlap from which two boxes count as one face, for requests without a collection.",
    )
    max_faces: int = Field(default=MAX_FACES, ge=1, le=MAX_FACES, description="Most faces reported of one image.")


class SearchTuning(Frozen):
    """How collections are searched."""

    ef_search: int = Field(
        default=200,
        ge=1,
        le=1000,
        description="`ef_search` of the HNSW index: a higher value finds more and takes longer.",
    )
    exact_below: int = Field(
        default=20_000, ge=1, description="Collections with fewer faces are scanned exactly and get no HNSW index."
    )
    rerank: int = Field(
        default=40, ge=1, le=1000, description="Candidates of the HNSW index that are ranked again at full precision."
    )
    sign_faces: int = Field(
        default=5_000_000,
        ge=0,
        description="Faces of large collections whose signs a replica keeps in memory, 72 bytes each; 0: HNSW alone.",
    )
    recall_samples: float = Field(
        default=0.0, ge=0, le=1, description="Share of approximate searches that also run exactly, to measure recall."
    )
