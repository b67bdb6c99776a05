"""A photo that had to be turned is told in every answer, and its boxes are those of the photo as it was sent."""

from dataclasses import replace
from typing import Any

from deployments.inference.worker import InferenceWorker
from deployments.ports import EmbedderResult
from encoders.types import AnalyzeOptions, ModelDescription
from tests.deployments.colours import drawing
from tests.deployments.service import Clients, create_collection, enroll, multipart

STAFF = "/v1/collections/staff"


class OnItsSide:
    """An embedder that takes every picture for one that lies on its side."""

    def __init__(self, worker: InferenceWorker) -> None:
        self._worker = worker

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        seen = await self._worker.analyze(image, options)
        return replace(seen, analysis=replace(seen.analysis, rotation=90))

    async def describe(self) -> ModelDescription:
        return await self._worker.describe()


async def test_every_answer_about_a_photo_says_how_it_was_turned(clients: Clients, colours: InferenceWorker) -> None:
    api = clients(embedder=OnItsSide(colours))
    await create_collection(api)
    await enroll(api, drawing(0), id="ada")
    image = multipart("image", drawing(0))

    async def posted(path: str, **request: Any) -> dict[str, Any]:
        response = await api.post(path, **request)
        assert response.status_code == 200
        body: dict[str, Any] = response.json()
        return body

    pair = {"files": {name: ("face.png", drawing(0)) for name in ("source", "target")}}
    compared = await posted("/v1/compare", **pair)
    told = [
        (await posted("/v1/detect", **image))["faces"][0],
        (await posted("/v1/embeddings", **image))["faces"][0],
        compared["source_face"],
        compared["target_face"],
        (await posted(f"{STAFF}/search", **image))["searched_face"],
        (await posted(f"{STAFF}/identify", **image))["faces"][0]["face"],
        (await posted(f"{STAFF}/persons/ada/verify", **image))["face"],
    ]

    assert [face["rotation"] for face in told] == [90] * len(told)


async def test_an_enrolled_face_remembers_how_its_photo_was_turned(clients: Clients, colours: InferenceWorker) -> None:
    upright, turned = clients(), clients(embedder=OnItsSide(colours))
    await create_collection(upright)

    [first] = (await enroll(upright, drawing(0), id="ada"))["faces"]
    [second] = (await enroll(turned, drawing(90), id="bob"))["faces"]
    read = (await upright.get(f"{STAFF}/persons/bob/faces/{second['id']}")).json()["face"]

    assert (first["rotation"], second["rotation"], read["rotation"]) == (0, 90, 90)
