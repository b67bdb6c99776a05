"""The plain baseline: FastAPI with InsightFace's FaceAnalysis, as it is usually put together.

`BASELINE_MODELS` names the pack's directory, `BASELINE_MODE` is `loop` (inference on the event loop) or `threads`
(in a thread pool), `BASELINE_GALLERY` what the face is searched in: `none`, `array` or `pgvector`, the latter two at
`BASELINE_DATABASE_URL`. ONNX Runtime gets one thread per session, which is the strongest setting that was found: with
its default the detector's and the recogniser's pools fight over the cores.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import cv2
import numpy as np
import onnxruntime
from fastapi import FastAPI, HTTPException, Request
from insightface.app import FaceAnalysis

from tests.benchmarks.serving.galleries import Gallery, best_match


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
    in_loop = os.environ["BASELINE_MODE"] == "loop"
    gallery: Gallery = os.environ["BASELINE_GALLERY"]  # type: ignore[assignment]

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if gallery == "none":
            yield
            return
        async with asyncpg.create_pool(os.environ["BASELINE_DATABASE_URL"], min_size=1, max_size=4) as database:
            app.state.database = database
            yield

    app = FastAPI(lifespan=lifespan)

    def look(image: bytes) -> Any:
        pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
        return next(iter(analysis.get(pixels, max_num=1)), None)

    @app.post("/search")
    async def search(request: Request) -> dict[str, object]:
        image = await request.body()
        face = look(image) if in_loop else await asyncio.get_running_loop().run_in_executor(pool, look, image)
        if face is None:
            raise HTTPException(422, "no face")
        answer = {"box": face.bbox.tolist()}
        if gallery == "none":
            return answer
        async with app.state.database.acquire() as connection:
            person, similarity = await best_match(connection, gallery, face.normed_embedding.tolist())
        return answer | {"person": person, "similarity": similarity}

    return app
