"""The plain baseline of the pack `opencv`: FastAPI with OpenCV's own FaceDetectorYN and FaceRecognizerSF.

`BASELINE_MODE` is `loop` (inference on the event loop) or `threads` (in a thread pool), `BASELINE_INPUT_PX` the longer
side to which a photo is shrunk before its faces are looked for; 0 leaves it as it is, as OpenCV's sample does. OpenCV
gets one thread, which is the strongest setting for more than one client.
"""

import asyncio
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx
from fastapi import FastAPI, HTTPException, Request

from encoders.opencv_zoo.sources import SFACE, YUNET, installed_directory, read
from encoders.packs.catalog import OPENCV_PACK

# OpenCV's own, but for the score: 0.79 is where the pack `opencv` scores 0.5, so that both call the same a face.
MIN_SCORE, MAX_OVERLAP, MAX_CANDIDATES = 0.79, 0.3, 5000
CROP_INPUT = "data"  # of SFace's graph


class PlainEncoder:
    """OpenCV's detector and recogniser, for one thread."""

    def __init__(self, input_px: int) -> None:
        directory = installed_directory(OPENCV_PACK)
        self._input_px = input_px
        self._detector = cv2.FaceDetectorYN.create(
            str(directory / YUNET.file), "", (320, 320), MIN_SCORE, MAX_OVERLAP, MAX_CANDIDATES
        )
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / SFACE.file
            onnx.save(_with_one_input(read(directory, SFACE, OPENCV_PACK)), str(model))
            self._recogniser = cv2.FaceRecognizerSF.create(str(model), "")

    def look(self, image: bytes) -> tuple[list[float], npt.NDArray[np.float32]] | None:
        """Return the box (left, top, right, bottom) and the embedding, L2-normalised, of the largest face."""
        pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
        scale = min(1.0, self._input_px / max(pixels.shape[:2])) if self._input_px else 1.0
        shown = pixels if scale == 1 else cv2.resize(pixels, None, fx=scale, fy=scale)
        self._detector.setInputSize((shown.shape[1], shown.shape[0]))
        _, faces = self._detector.detect(shown)  # (n, 15): left, top, width, height, five landmarks, score
        if faces is None:
            return None
        face = faces[np.argmax(faces[:, 2] * faces[:, 3])]
        face[:14] /= scale
        embedding = self._recogniser.feature(self._recogniser.alignCrop(pixels, face)).ravel()
        left, top, width, height = face[:4].tolist()
        return [left, top, left + width, top + height], embedding / np.linalg.norm(embedding)


def create() -> FastAPI:
    """Return the application."""
    cv2.setNumThreads(1)
    input_px = int(os.environ["BASELINE_INPUT_PX"])
    in_loop = os.environ["BASELINE_MODE"] == "loop"
    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    encoders = threading.local()  # neither of OpenCV's classes may be called from two threads at once
    app = FastAPI()

    def look(image: bytes) -> tuple[list[float], npt.NDArray[np.float32]] | None:
        if not hasattr(encoders, "own"):
            encoders.own = PlainEncoder(input_px)
        own: PlainEncoder = encoders.own
        return own.look(image)

    @app.post("/search")
    async def search(request: Request) -> dict[str, object]:
        image = await request.body()
        found = look(image) if in_loop else await asyncio.get_running_loop().run_in_executor(pool, look, image)
        if found is None:
            raise HTTPException(422, "no face")
        return {"box": found[0]}

    return app


def _with_one_input(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return SFace without the weights that it lists as inputs, which OpenCV 5 takes for pictures."""
    inputs = [value for value in model.graph.input if value.name == CROP_INPUT]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return model
