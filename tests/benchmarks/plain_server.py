"""The plain baseline: FastAPI with InsightFace's FaceAnalysis, as it is usually put together.

`BASELINE_MODELS` names the pack's directory, `BASELINE_MODE` is `loop` (inference on the event loop) or `threads`
(in a thread pool). ONNX Runtime gets one thread per session, which is the strongest setting that was found: with its
default the detector's and the recogniser's pools fight over the cores.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import onnxruntime
from fastapi import FastAPI, Request
from insightface.app import FaceAnalysis


def create() -> FastAPI:
    """Return the application, with its models loaded."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    analysis = FaceAnalysis(
        os.environ["BASELINE_MODELS"],
        allowed_modules=["detection", "recognition"],
        providers=["CPUExecutionProvider"],
        sess_options=options,
    )
    analysis.prepare(ctx_id=-1, det_size=(640, 640))
    cv2.setNumThreads(1)
    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    in_loop = os.environ.get("BASELINE_MODE") == "loop"
    app = FastAPI()

    def look(image: bytes) -> list[dict[str, object]]:
        pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
        faces = analysis.get(pixels, max_num=1)
        return [{"box": face.bbox.tolist(), "embedding": face.normed_embedding[:4].tolist()} for face in faces]

    @app.post("/search")
    async def search(request: Request) -> dict[str, object]:
        image = await request.body()
        if in_loop:
            return {"faces": look(image)}
        return {"faces": await asyncio.get_running_loop().run_in_executor(pool, look, image)}

    return app
