"""What all settings have in common."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable, and refusing keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
