"""Errors of the encoders.

EncoderError
├── ImageError
│   ├── InvalidImage
│   ├── UnsupportedImageFormat
│   ├── ImageTooLarge
│   └── ImageRefused
├── PackError
│   ├── PackNotFound
│   ├── PackIncomplete
│   ├── PackCorrupt
│   └── PackDownloadFailed
├── ProviderUnavailable
└── EncoderBroken

Arguments are stored verbatim, so that every error survives pickling; texts are made in `__str__` and name no path.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class EncoderError(Exception):
    """The photo could not be turned into faces."""

    code: ClassVar[str] = "encoder_error"

    @property
    def details(self) -> Mapping[str, Any]:
        """The facts that help to mend what was sent, as JSON."""
        return {}

    def __str__(self) -> str:
        return type(self).__doc__ or self.code


class ImageError(EncoderError):
    """The image cannot be used."""

    code = "invalid_image"


class InvalidImage(ImageError):
    """The image could not be decoded."""

    code = "invalid_image"

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"The image could not be decoded: {self.reason}." if self.reason else "The image could not be decoded."


class UnsupportedImageFormat(ImageError):
    """The image is of a format that is not accepted."""

    code = "unsupported_image_format"

    def __init__(self, found: str, accepted: tuple[str, ...]) -> None:
        super().__init__(found, accepted)
        self.found = found
        self.accepted = accepted

    @property
    def details(self) -> Mapping[str, Any]:
        return {"found": self.found, "accepted": list(self.accepted)}

    def __str__(self) -> str:
        return f"Expected an image of format {', '.join(self.accepted)}; found {self.found}."


class ImageTooLarge(ImageError):
    """The image is over a limit."""

    code = "image_too_large"

    def __init__(self, found: int, limit: int, unit: str) -> None:
        super().__init__(found, limit, unit)
        self.found = found
        self.limit = limit
        self.unit = unit

    @property
    def details(self) -> Mapping[str, Any]:
        return {"found": self.found, "limit": self.limit, "unit": self.unit}

    def __str__(self) -> str:
        return f"The image has {self.found:,} {self.unit}; at most {self.limit:,} are accepted."


class ImageRefused(ImageError):
    """The image is not looked at for ten minutes: twice the models died with it."""

    code = "image_refused"


class PackError(EncoderError):
    """The model pack cannot be used."""

    code = "pack_error"

    def __init__(self, pack: str, reason: str = "") -> None:
        super().__init__(pack, reason)
        self.pack = pack
        self.reason = reason

    def __str__(self) -> str:
        text = f"Model pack '{self.pack}': {type(self).__doc__}"
        return f"{text} {self.reason}" if self.reason else text


class PackNotFound(PackError):
    """not found."""

    code = "pack_not_found"


class PackIncomplete(PackError):
    """a model file is missing."""

    code = "pack_incomplete"


class PackCorrupt(PackError):
    """a file is not what it should be."""

    code = "pack_corrupt"


class PackDownloadFailed(PackError):
    """the download failed."""

    code = "pack_download_failed"


class ProviderUnavailable(EncoderError):
    """The models would not run on the provider that was asked for."""

    code = "provider_unavailable"

    def __init__(self, wanted: str, found: tuple[str, ...]) -> None:
        super().__init__(wanted, found)
        self.wanted = wanted
        self.found = found

    def __str__(self) -> str:
        return f"Expected to run the models on {self.wanted}; there is {', '.join(self.found) or 'nothing'}."


class EncoderBroken(EncoderError):
    """The loaded models no longer give the answer they gave at start."""

    code = "encoder_broken"
