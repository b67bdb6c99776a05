"""Finds out which way up a photo is, where the faces found in it are in doubt.

A face that is upside down is found by chance, with its eyes where its mouth is: neither its angle nor its embedding
means anything, and only its score is low. So the surroundings of such a face, or the whole photo where none is found,
are shown to the detector all four ways at once, small, in one picture of four tiles; the tile that scores best tells.

Measured with SCRFD-500MF on 18 photos in 8 versions each (250 to 1,600 px, blurred, dark, noisy), turned all four ways,
544 pictures: both pictures of tiles were right in every one where they were asked. With YuNet, 17 photos turned all
four ways came out upright, 68 of 68, and the upright ones cost 1% more.
"""

from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from encoders.detection.detector import Detections, ScrfdDetector, View
from encoders.runtimes.networks import InputSize
from encoders.types import Rotation

Pixels = npt.NDArray[np.uint8]

ROTATIONS: tuple[Rotation, ...] = (0, 90, 180, 270)
OPENCV_ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}

# From this score on an upright face is taken for one. Of the 136 upright pictures, 55% score more; of the 136 upside
# down, none: they reach 0.78, those on their side 0.77. From 0.75 on, 88% of the upright ones and 4 that are not.
CERTAIN_SCORE = 0.80

# A tile of 80 px that shows the face with 0.7 of its length on all sides; one of 64 px was right, too. Four are 160 x
# 160 px, 8% of a look at a 3:2 photo at 640 px.
FACE_TILE_PX = 80
SURROUNDINGS = 0.7
# A tile that shows the whole photo, with faces of 7% of its length and more; one of 160 px was right, too. Four are
# 45% of a look.
PHOTO_TILE_PX = 192
GAP_PX = 16  # black between the photos
OVERSAMPLING = 3  # pixels in each direction that are averaged for one of a tile

CANDIDATE_SCORE = 0.3  # the least of 544 right tiles of 192 px had 0.53
CLEARLY = 0.05  # by which another way up must score better


def is_in_doubt(found: Detections) -> bool:
    """Return whether the photo may lie on its side or its head: no face in it is certain, and upright by 45 degrees."""
    for index in np.flatnonzero(found.scores >= CERTAIN_SCORE):
        across, down = _from_eyes_to_mouth(found.landmarks[index])
        if down > abs(across):
            return False
    return True


def likely_rotation(detector: ScrfdDetector, pixels: Pixels, found: Detections, input_size: InputSize) -> Rotation:
    """Return by how much BGR `pixels` must be turned so that the faces in it are upright; `found`: those of now.

    Costs one look at 160 x 160 px, and one at 384 x 384 if nothing is found; each at `input_size` where the detector
    takes no other shape.
    """
    if len(found):
        scores = _scores(detector, _surroundings(pixels, found), FACE_TILE_PX, input_size)
        if max(scores) >= CANDIDATE_SCORE:
            return _best(scores)
    return _best(_scores(detector, pixels, PHOTO_TILE_PX, input_size))


def rotated(pixels: Pixels, rotation: Rotation) -> Pixels:
    """Return `pixels` turned clockwise."""
    if rotation == 0:
        return pixels
    return cast(Pixels, cv2.rotate(pixels, OPENCV_ROTATIONS[rotation]))


def rotated_points(
    points: npt.NDArray[np.float32], rotation: Rotation, width: float, height: float
) -> npt.NDArray[np.float32]:
    """Return where `points`, (..., 2), of a picture of `width` x `height` are when it is turned clockwise."""
    x, y = points[..., 0], points[..., 1]
    if rotation == 90:
        x, y = height - 1 - y, x
    elif rotation == 180:
        x, y = width - 1 - x, height - 1 - y
    elif rotation == 270:
        x, y = y, width - 1 - x
    return np.stack((x, y), axis=-1).astype(np.float32)


def back(rotation: Rotation) -> Rotation:
    """Return the rotation that undoes `rotation`."""
    return cast(Rotation, (360 - rotation) % 360)


def _from_eyes_to_mouth(landmarks: npt.NDArray[np.float32]) -> tuple[float, float]:
    across, down = landmarks[3:].mean(axis=0) - landmarks[:2].mean(axis=0)
    return float(across), float(down)


def _surroundings(pixels: Pixels, found: Detections) -> Pixels:
    """Return the part of `pixels` around the face that scores best."""
    left, top, right, bottom = found.boxes[int(np.argmax(found.scores))].tolist()
    reach = max(right - left, bottom - top) * (0.5 + SURROUNDINGS)
    x, y = (left + right) / 2, (top + bottom) / 2
    height, width = pixels.shape[:2]
    columns = slice(max(0, int(x - reach)), min(width, max(1, int(x + reach))))
    rows = slice(max(0, int(y - reach)), min(height, max(1, int(y + reach))))
    part = pixels[rows, columns]
    return part if part.size else pixels


def _scores(detector: ScrfdDetector, pixels: Pixels, tile_px: int, input_size: InputSize) -> list[float]:
    """Return the best score of a face in `pixels` turned by each of ROTATIONS, found in one look."""
    width, height = detector.shape_for((2 * tile_px, 2 * tile_px), input_size)
    tile_px = min(width, height) // 2
    share = (tile_px - GAP_PX) / max(pixels.shape[:2])
    sides = [max(1, round(side * share)) for side in pixels.shape[1::-1]]
    # Every second pixel and so on first: averaging 1,260 px takes 3.5 ms, the look itself 1.4.
    step = max(1, int(1 / share / OVERSAMPLING))
    small: Any = cv2.resize(pixels[::step, ::step], sides, interpolation=cv2.INTER_AREA)
    canvas = np.zeros((height, width, 3), np.uint8)
    for index, rotation in enumerate(ROTATIONS):
        tile = rotated(small, rotation)
        top, left = index // 2 * tile_px, index % 2 * tile_px
        canvas[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    found = detector.look(View(canvas, 1.0, (width, height)), CANDIDATE_SCORE, 0.4)
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2  # (n, 2)
    columns, rows = np.clip(centres // tile_px, 0, 1).astype(int).T  # (n,) each
    return [float(found.scores[rows * 2 + columns == index].max(initial=0.0)) for index in range(4)]


def _best(scores: list[float]) -> Rotation:
    best = int(np.argmax(scores))
    return ROTATIONS[best] if scores[best] > scores[0] + CLEARLY else 0
