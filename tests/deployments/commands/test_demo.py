"""The demonstration against the real application over real HTTP."""

import asyncio
import io
from pathlib import Path

from rich.console import Console

from deployments.commands.demo import demo
from tests.deployments.client.serving import served
from tests.deployments.service import Clients
from tests.deployments.tokens import token


async def test_the_demonstration_enrols_and_recognises(photo_clients: Clients, tenant: str, tmp_path: Path) -> None:
    said = Console(file=io.StringIO(), width=200)
    out = tmp_path / "out.jpg"

    async with served(photo_clients.app()) as url:
        await asyncio.to_thread(demo, url, token(tenant=tenant), None, out, said)

    assert "Enrolled 6 people from one photo" in said.file.getvalue()  # type: ignore[attr-defined]
    assert "Recognised 6 of 6 enrolled people" in said.file.getvalue()  # type: ignore[attr-defined]
    assert out.read_bytes().startswith(b"\xff\xd8")
