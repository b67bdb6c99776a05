"""What tells a field that is left out from one that is set to nothing."""

from enum import Enum


class Unset(Enum):
    """The type of UNSET."""

    UNSET = "unset"


UNSET = Unset.UNSET
