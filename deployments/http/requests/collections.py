"""Collections."""

from typing import Literal

from pydantic import Field

from deployments.http.requests.fields import (
    Body,
    CollectionName,
    DetectorSizes,
    LoadPolicy,
    Metadata,
    Patch,
    Similarity,
    Text,
)
from store.types import FaceSelection

SearchProfile = Literal["fp32_v1", "fp16_v1", "bf16_v1", "int8_x736_v1", "int8_x1000_v1"]


class CollectionDetection(Body):
    """How faces are looked for in the photos of a collection; what is left out is the deployment's default."""

    input_sizes: DetectorSizes | None = None
    threshold: Similarity | None = None
    nms_threshold: Similarity | None = None
    single_face_selection: FaceSelection | None = None


class CollectionSearch(Body):
    """How much a collection may hold; `load_policy` is kept and has no effect.

    Each `profile` is searched as `fp32_v1`, which the answer says.
    """

    profile: SearchProfile | None = None
    capacity_rows: int | None = Field(default=None, ge=1, le=2**62)
    max_faces_per_person: int | None = Field(default=None, ge=1, le=1_000_000)
    load_policy: LoadPolicy | None = None


class CollectionCreate(Body):
    """A new collection. `threshold`: similarity of a match, by default the model pack's."""

    id: CollectionName
    name: Text = Field(min_length=1, max_length=200)
    description: Text = Field(default="", max_length=2000)
    threshold: Similarity | None = None
    save_face_crops: bool | None = None
    metadata: Metadata = Field(default_factory=dict)
    detection: CollectionDetection = Field(default_factory=CollectionDetection)
    search: CollectionSearch = Field(default_factory=CollectionSearch)


class CollectionSearchPatch(Body):
    """How much a collection may hold, from now on."""

    capacity_rows: int | None = Field(default=None, ge=1, le=2**62)
    max_faces_per_person: int | None = Field(default=None, ge=1, le=1_000_000)
    load_policy: LoadPolicy | None = None


class CollectionPatch(Patch):
    """Changes of a collection."""

    name: Text | None = Field(default=None, min_length=1, max_length=200)
    description: Text | None = Field(default=None, max_length=2000)
    threshold: Similarity | None = None
    save_face_crops: bool | None = None
    metadata: Metadata | None = None
    detection: CollectionDetection | None = None
    search: CollectionSearchPatch | None = None
