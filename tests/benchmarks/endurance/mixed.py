"""Mixed load: every kind of picture, question and mistake, on a gallery that stays as large as it is."""

import itertools
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import httpx
import pillow_heif
from PIL import Image

from tests.benchmarks.endurance.load import Answer, Call, Connections, call, offer
from tests.deployments.pictures import astronaut, encoded, group_photo, landscape, portrait

COLLECTION = "soak"
PERSONS = 20
PATH = f"/v1/collections/{COLLECTION}"


@dataclass(frozen=True, slots=True)
class Mix:
    """The calls of the mix with their weights, and what an enrolment takes."""

    weighted: tuple[tuple[int, Call], ...]
    client: httpx.Client
    photo: bytes

    @property
    def calls(self) -> list[Call]:
        return [call for _, call in self.weighted]

    @property
    def weights(self) -> list[int]:
        return [weight for weight, _ in self.weighted]


def prepare(client: httpx.Client) -> Mix:
    """Enrol the gallery with `client`, whose token the mix uses too, and return the mix."""
    pillow_heif.register_heif_opener()
    photo = encoded(portrait())
    created = client.post("/v1/collections", json={"id": COLLECTION, "name": "Soak", "save_face_crops": True})
    assert created.status_code == 201, created.text
    for number in range(PERSONS):
        files = {"images": encoded(portrait(), quality=95 - number)}
        enrolled = client.post(f"{PATH}/persons", files=files, data={"id": f"p{number}"})
        assert enrolled.status_code == 201, enrolled.text
    return Mix((*questions(client, photo), *mistakes(client, photo)), client, photo)


def questions(client: httpx.Client, photo: bytes) -> list[tuple[int, Call]]:
    """Return what is asked: each format, small and large pictures, one face, several and none."""
    whole = astronaut()
    pictures = {
        "jpeg": photo,
        "large jpeg": encoded(whole.resize((2400, 2400), Image.Resampling.BICUBIC)),
        "png": encoded(whole, "PNG"),
        # over 1 MB, from where on an image goes to the embedder through Ray's shared memory
        "large png": encoded(whole.resize((1100, 1100)), "PNG", compress_level=0),
        "webp": encoded(whole, "WEBP"),
        "bmp": encoded(portrait(), "BMP"),
        "gif": encoded(portrait(), "GIF"),
        "heic": encoded(whole, "HEIF"),
    }
    image = {"Content-Type": "application/octet-stream"}
    ask = partial(call, client=client, method="POST")
    searches = [
        (6, ask(f"search {name}", path=f"{PATH}/search", content=content, headers=image))
        for name, content in pictures.items()
    ]
    return [
        *searches,
        (4, ask("identify a group", path=f"{PATH}/identify", content=group_photo(), headers=image)),
        (4, ask("identify nobody", path=f"{PATH}/identify", content=encoded(landscape()), headers=image)),
        (8, ask("verify", path=f"{PATH}/persons/p3/verify", files={"image": photo})),
        (4, ask("compare", path="/v1/compare", files={"source": photo, "target": pictures["png"]})),
        (4, ask("detect", path="/v1/detect", files={"image": pictures["webp"]})),
        (4, call("list persons", client, "GET", f"{PATH}/persons?limit=10")),
        (4, call("collection", client, "GET", PATH)),
    ]


def mistakes(client: httpx.Client, photo: bytes) -> list[tuple[int, Call]]:
    """Return what clients get wrong, each with the status that it is answered with."""
    image = {"Content-Type": "image/jpeg"}
    search = partial(call, client=client, method="POST", path=f"{PATH}/search", headers=image)
    post = partial(call, client=client, method="POST")
    asked = [
        search("error: no image", expected=[422], content=b"no image"),
        search("error: cut off", expected=[422], content=photo[:500]),
        search("error: no face", expected=[422], content=encoded(landscape())),
        search("error: token", expected=[401], content=photo, headers={**image, "Authorization": "Bearer x"}),
        post("error: collection", path="/v1/collections/none/search", expected=[404], content=photo, headers=image),
        post("error: person", path=f"{PATH}/persons/none/verify", expected=[404], files={"image": photo}),
        post("error: no JSON", path="/v1/collections", expected=[400], json=[]),
    ]
    return [(2, mistake) for mistake in asked]


def enrolment(mix: Mix, id: str) -> list[Call]:
    """Return the life of a person from the enrolment, whose retry changes nothing, to the deletion."""
    ask = partial(call, client=mix.client)
    post = partial(ask, method="POST")
    person = f"{PATH}/persons/{id}"
    files = {"images": mix.photo}
    once = {"Idempotency-Key": id}
    enrol = post("enrol", path=f"{PATH}/persons", expected=[201], files=files, data={"id": id}, headers=once)
    return [
        enrol,
        enrol,
        post("add a face", path=f"{person}/faces", expected=[201], files=files),
        post("verify", path=f"{person}/verify", files={"image": mix.photo}),
        ask("delete", method="DELETE", path=person, expected=[204]),
    ]


async def mixed_load(
    connections: Connections, mix: Mix, *, per_second: float, seconds: float, record: Callable[[Answer], None]
) -> None:
    """Offer the mix; one arrival in ten is the life of a person, whose calls follow one another."""
    dice = random.Random(1)
    numbers, name = itertools.count(), uuid.uuid4().hex[:8]  # an Idempotency-Key is used once

    async def arrival(_number: int, due: float) -> None:
        if dice.random() < 0.1:
            for part in enrolment(mix, f"{name}-{next(numbers)}"):
                record(await connections.send(part))
        else:
            chosen = dice.choices(mix.calls, mix.weights)[0]
            record(await connections.send(chosen, due))

    await offer(arrival, per_second=per_second, seconds=seconds)
