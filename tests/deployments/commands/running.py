"""The `faceserve` command as a process."""

import asyncio
import os
import sys
from pathlib import Path


async def start(*words: str, url: str, bearer: str) -> asyncio.subprocess.Process:
    environment = os.environ | {"FACESERVE_URL": url, "FACESERVE_TOKEN": bearer}
    return await asyncio.create_subprocess_exec(
        *(Path(sys.executable).parent / "faceserve", *words),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def faceserve(*words: str, url: str, bearer: str) -> tuple[int, str, str]:
    """Run the command; return its exit code and what it printed on stdout and stderr."""
    process = await start(*words, url=url, bearer=bearer)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()
