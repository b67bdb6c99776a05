"""What all answers share."""

from pydantic import BaseModel, ConfigDict

Points = list[list[float]]  # x and y of each, in pixels


class Shape(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


class Answer(Shape):
    """The body of an answer."""

    request_id: str
