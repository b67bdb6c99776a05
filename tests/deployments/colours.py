"""A fake encoder that sees a face in every coloured square, so that a test draws the people it needs.

The hue is the person: the similarity of two faces is the cosine of the angle between their hues. The brightness is the
face's quality and detection score, and the less saturated a colour, the further the face is turned away.
"""

import colorsys
import hashlib
import io
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from encoders.detection.detector import Detections
from encoders.detection.selection import select
from encoders.images.decoding import ImageLimits, decode, encode_jpeg
from encoders.types import (
    Analysis,
    AnalyzeOptions,
    Box,
    EmbeddingContract,
    Face,
    ModelComponent,
    ModelDescription,
    Quality,
)

THRESHOLD = 0.8  # the cosine of 36.9 degrees
GAP_PX = 20
PAPER = 250  # a pixel is background when no channel is darker


@dataclass(frozen=True, slots=True)
class Person:
    """A square to draw: its hue in degrees, its side in pixels, brightness and saturation in [0, 1]."""

    hue: float
    side: int = 80
    brightness: float = 1.0
    saturation: float = 1.0


def drawing(*people: Person | float) -> bytes:
    """Return a PNG with these people, or hues, from left to right."""
    squares = [person if isinstance(person, Person) else Person(person) for person in people]
    width = sum(square.side + GAP_PX for square in squares) + GAP_PX
    image = Image.new("RGB", (width, max([square.side for square in squares], default=80) + 2 * GAP_PX), "white")
    left = GAP_PX
    for square in squares:
        colour = colorsys.hsv_to_rgb(square.hue / 360, square.saturation, square.brightness)
        corners = (left, GAP_PX, left + square.side - 1, GAP_PX + square.side - 1)
        ImageDraw.Draw(image).rectangle(corners, fill=tuple(round(channel * 255) for channel in colour))
        left += square.side + GAP_PX
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def embedding(hue: float) -> npt.NDArray[np.float32]:
    """Return the embedding, float32 (512,), of a face of this hue in degrees."""
    vector = np.zeros(512, np.float32)
    vector[:2] = np.cos(np.radians(hue)), np.sin(np.radians(hue))
    return vector


class ColourEncoder:
    """Encoders of another `version` make embeddings of another contract."""

    stages = None

    def __init__(self, version: str = "1") -> None:
        digest = hashlib.sha256(version.encode()).hexdigest()
        self.model = ModelDescription(
            pack="colours",
            version=version,
            provider="cpu",
            contract=EmbeddingContract("colours", version, digest, 512, "1"),
            components=(
                ModelComponent("detection", "squares", digest, None, None),
                ModelComponent("recognition", "hues", digest, None, 512),
            ),
            licence="none",
            commercial_use=True,
            default_threshold=THRESHOLD,
        )

    def analyze(self, image: bytes, options: AnalyzeOptions) -> Analysis:
        pixels = decode(image, ImageLimits()).pixels
        height, width = pixels.shape[:2]
        found = _squares(pixels)
        chosen = select(found, options, width, height)
        faces = tuple(_face(pixels, box, options) for box in chosen.boxes)
        return Analysis(width, height, faces, len(found), decode_ms=0, detect_ms=0, embed_ms=0)

    def check(self) -> None:
        pass


def _squares(pixels: npt.NDArray[np.uint8]) -> Detections:
    drawn = (pixels.min(axis=2) < PAPER).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(drawn)
    boxes = [(left, top, left + width, top + height) for left, top, width, height, _ in stats[1:]]
    boxes.sort(key=lambda box: (box[0] - box[2]) * (box[3] - box[1]))
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.ones(len(boxes)), np.zeros((len(boxes), 5, 2), np.float32)
    )


def _face(pixels: npt.NDArray[np.uint8], box: npt.NDArray[np.float32], options: AnalyzeOptions) -> Face:
    left, top, right, bottom = (int(edge) for edge in box)
    blue, green, red = (int(channel) / 255 for channel in pixels[(top + bottom) // 2, (left + right) // 2])
    hue, saturation, brightness = colorsys.rgb_to_hsv(red, green, blue)
    return Face(
        box=Box(left, top, right, bottom),
        landmarks=np.full((5, 2), (left, top), np.float32),
        detection_score=brightness,
        quality=Quality(brightness, brightness, brightness, saturation, yaw=90 * (1 - saturation), pitch=0, roll=0),
        embedding=embedding(hue * 360) if options.embed else None,
        crop=encode_jpeg(pixels[top:bottom, left:right]) if options.crop else None,
    )
