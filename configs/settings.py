"""What a deployment is told at start: the `args` of the Serve YAML. A change needs a redeploy."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from configs.frozen import Frozen

DETECTOR_STEP = 32  # SCRFD's coarsest stride
MAX_DETECTOR_SIDE = 1280  # four times the work of 640; larger inputs find no more faces of use


def check_detector_input(value: tuple[int, int]) -> tuple[int, int]:
    """Return `value`. Raises ValueError for a width or height that the detector is not meant for."""
    for side in value:
        if side % DETECTOR_STEP or not 64 <= side <= MAX_DETECTOR_SIDE:
            raise ValueError(f"expected multiples of {DETECTOR_STEP} from 64 to {MAX_DETECTOR_SIDE}, found {side}")
    return value


def check_origin(value: str) -> str:
    """Return `value`. Raises ValueError unless it is a web origin; `*` would let in every page there is."""
    if re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", value) is None:
        raise ValueError(
            f"expected an origin such as https://app.example.com, in lower case and without a path, found {value!r}"
        )
    return value


class ImageSettings(Frozen):
    """Limits of one image, checked before it is decoded."""

    max_bytes: int = Field(
        default=10 * 2**20, ge=1024, le=256 * 2**20, description="Largest accepted image file, in bytes."
    )
    max_pixels: int = Field(
        default=50_000_000, ge=4096, le=400_000_000, description="Largest accepted width x height, in pixels."
    )


class EncoderSettings(Frozen):
    """Which models turn photos into faces, and on what."""

    pack: str = Field(default="buffalo_l", min_length=1, max_length=64, description="Name of the model pack.")
    models_dir: Path = Field(
        default=Path("~/.insightface/models"), description="Directory that holds the packs; `~` is expanded."
    )
    provider: Literal["cpu", "openvino", "cuda", "tensorrt"] = Field(
        default="cpu",
        description="Runs the models: OpenVINO, or ONNX Runtime for the rest. A replica that lacks it does not start.",
    )
    threads: int | None = Field(
        default=None, ge=1, le=128, description="Threads of a model run; by default the replica's `num_cpus`."
    )
    detector_input: Annotated[tuple[int, int], AfterValidator(check_detector_input)] | None = Field(
        default=None,
        description="Width and height of the detector's input. By default the pack's own. New collections keep it.",
    )
    engine_cache: Path | None = Field(
        default=None, description="Directory for TensorRT's engines, each of which takes minutes to build."
    )
    image: ImageSettings = ImageSettings()


class StoreSettings(Frozen):
    """The pool of each search replica on PostgreSQL. The URL comes from the environment."""

    min_connections: int = Field(default=1, ge=1, le=64, description="Connections that a replica keeps open.")
    max_connections: int = Field(default=4, ge=1, le=64, description="Connections that a replica opens at most.")
    statement_timeout_s: float = Field(
        default=10.0, ge=0.1, le=600, description="PostgreSQL ends a statement after this time, in seconds."
    )
    builds_indexes: bool = Field(
        default=True, description="Whether search replicas build the HNSW indexes of large collections."
    )


class TokenSettings(Frozen):
    """What a token must say to be accepted. The keys come from the environment."""

    issuer: str = Field(default="faceserve", min_length=1, description="Expected `iss` claim.")
    audience: str = Field(default="faceserve", min_length=1, description="Expected `aud` claim.")
    leeway_s: float = Field(
        default=10.0, ge=0, le=300, description="How far the clocks of issuer and service may differ, in seconds."
    )


class ApiSettings(Frozen):
    """Limits of the HTTP API."""

    max_request_bytes: int = Field(
        default=40 * 2**20, ge=4096, le=2**30, description="Largest accepted request body, in bytes."
    )
    # half of it, a tenant's, are photos of 4 MB for all of `max_in_flight`; with copies it is up to three times as much
    max_held_bytes: int = Field(
        default=512 * 2**20,
        ge=2**20,
        le=64 * 2**30,
        description="Bytes of request bodies that one ingress replica holds at once, at most half of a tenant.",
    )
    max_images: int = Field(default=20, ge=1, le=100, description="Most images in one enrolment.")
    request_timeout_s: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="A request ends with 503 this long after its body is there, in seconds.",
    )
    body_timeout_s: float = Field(
        default=10.0,
        gt=0,
        le=600,
        description="Time for each 200,000 bytes of a body, in seconds; who sends less in it gets 408.",
    )
    max_in_flight: int = Field(
        default=64, ge=1, le=10_000, description="Requests that one ingress replica works on; more get 429."
    )
    default_capacity: int = Field(
        default=1_000_000, ge=1, description="Faces that a new collection may hold unless it says otherwise."
    )
    max_capacity: int = Field(default=10_000_000, ge=1, description="Most faces that a collection may ask for.")
    default_max_faces_per_person: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        description="Faces that a person may have unless the collection says otherwise.",
    )
    access_log: bool = Field(default=True, description="Whether each request gets a line in the log.")
    cors_origins: tuple[Annotated[str, AfterValidator(check_origin)], ...] = Field(
        default=(),
        max_length=64,
        description="Origins whose pages in a browser may call the service, such as `https://app.example.com`.",
    )
    docs: bool = Field(default=True, description="Whether `/docs` is served.")
    console: bool = Field(default=True, description="Whether the console is served at `/`.")

    @model_validator(mode="after")
    def _holds_the_largest(self) -> Self:
        if self.max_held_bytes < 2 * self.max_request_bytes:
            raise ValueError(
                "expected max_held_bytes of at least twice max_request_bytes, since a tenant has half of it"
            )
        return self


class ServiceSettings(Frozen):
    """All that the application's builder takes."""

    encoder: EncoderSettings = EncoderSettings()
    store: StoreSettings = StoreSettings()
    token: TokenSettings = TokenSettings()
    api: ApiSettings = ApiSettings()
