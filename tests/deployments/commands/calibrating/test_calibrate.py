"""`faceserve calibrate` against a running service."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from deployments.commands.calibrating.run import CalibrateOptions, calibrate
from deployments.commands.errors import CommandFailed
from faceserve_client import Client
from store.types import NewPerson
from tests.benchmarks.store.vectors import Population, persons
from tests.deployments.client.serving import served
from tests.deployments.service import Clients, create_collection
from tests.deployments.tokens import token
from tests.store.faces import face

MEMBERS = 120
OPTIONS = CalibrateOptions(
    "staff", persons=5000, sizes=(10_000,), max_fpir=None, at="present", extrapolate=False, applies=False, report=None
)


@pytest.fixture
async def client(clients: Clients) -> AsyncIterator[Client]:
    """A client of a service with a collection of 120 persons with two faces each."""
    collection = await create_collection(clients(), threshold=0.3)
    for number, photos in enumerate(next(persons(Population(), MEMBERS, 2))):
        faces = [face(photo) for photo in photos]
        await clients.gallery.enroll_person(
            clients.tenant, "staff", NewPerson(id=f"p{number}"), faces, collection["embedding_contract_id"]
        )
    async with served(clients.app()) as url:
        with Client(url, token=token(tenant=clients.tenant)) as client:
            yield client


async def run(client: Client, options: CalibrateOptions, *, prints_json: bool = False) -> str:
    """Return what the command tells a person."""
    text = io.StringIO()
    console = Console(file=text, width=160)
    await asyncio.to_thread(calibrate, client, options, console, prints_json=prints_json)
    return text.getvalue()


async def test_it_says_how_many_strangers_would_be_called_a_member(client: Client) -> None:
    told = await run(client, OPTIONS)

    assert "of 1,000 strangers about" in told
    assert "strangers, 120 persons" in told and "strangers, 10,000 persons" in told
    assert (await asyncio.to_thread(client.list_calibrations, "staff")).applied is None


async def test_a_policy_is_told_and_applied_only_where_that_is_asked_for(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = replace(OPTIONS, max_fpir=0.1)

    async def threshold() -> float:
        return (await asyncio.to_thread(client.get_collection, "staff")).default_threshold

    before = await threshold()

    told = await run(client, policy)
    after_telling = await threshold()
    await run(client, replace(policy, applies=True), prints_json=True)

    printed = json.loads(capsys.readouterr().out)
    assert "The threshold would be" in told
    assert after_telling == before
    assert printed["choice"]["is_applied"] is True
    assert await threshold() == printed["choice"]["threshold"]


async def test_the_report_is_a_page_or_a_picture(client: Client, tmp_path: Path) -> None:
    page, picture = tmp_path / "report.html", tmp_path / "report.png"

    await run(client, replace(OPTIONS, report=page))
    await run(client, replace(OPTIONS, report=picture))

    text = page.read_text(encoding="utf-8")
    assert "What a score means in “staff”" in text
    assert "<polyline" in text and "http" not in text.replace("http://www.w3.org/2000/svg", "")
    with Image.open(picture) as image:
        colours = np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)
    assert len(colours) > 5
    with pytest.raises(CommandFailed, match=r"ends in \.html or \.png"):
        await run(client, replace(OPTIONS, report=tmp_path / "report.pdf"))
