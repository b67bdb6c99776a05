"""Faults of a rollout: a new configuration, and a model file that is no longer what it was."""

import os
import signal
from pathlib import Path
from typing import Any

import httpx

from tests.benchmarks.faults.service import Service
from tests.cluster.node import wait_for

TOLD_WITHIN_S = 180.0


def redeploy(service: Service) -> None:
    """`serve deploy` with changed `args` of all three deployments: every replica is replaced."""
    config = service.config()
    arguments = config["applications"][0]["args"]
    arguments["encoder"]["image"] = {"max_pixels": 40_000_000}
    arguments["store"]["max_connections"] = 3
    arguments["api"]["max_images"] = 9
    service.cluster.deploy(config)
    service.wait_until_whole()


def corrupt_and_kill(service: Service) -> None:
    """A byte of the recogniser's file changes and an embedder replica is killed; mended once Serve told the reason."""
    path = model_file(service)
    flip_byte(path)
    try:
        os.kill(service.replica_pid("Embedder"), signal.SIGKILL)
        wait_for(lambda: tells_the_pack(service), TOLD_WITHIN_S)
    finally:
        flip_byte(path)


def corrupt_and_redeploy(service: Service) -> None:
    """A byte of the recogniser's file changes and `serve deploy` changes `args`; the former ones are deployed after."""
    path = model_file(service)
    flip_byte(path)
    config = service.config()
    config["applications"][0]["args"]["encoder"]["image"] = {"max_pixels": 30_000_000}
    try:
        service.cluster.submit(config)
        wait_for(lambda: tells_the_pack(service), TOLD_WITHIN_S)
    finally:
        flip_byte(path)
        service.cluster.submit(service.config())


def model_file(service: Service) -> Path:
    """Return the recogniser of the service's own copy of the pack: its largest model."""
    folder = Path(service.encoder["models_dir"]) / service.encoder["pack"]
    return max(folder.glob("*.onnx"), key=lambda path: path.stat().st_size)


def flip_byte(path: Path) -> None:
    """Turn over the byte in the middle of a file, or turn it back."""
    middle = path.stat().st_size // 2
    with path.open("r+b") as file:
        file.seek(middle)
        byte = file.read(1)[0]
        file.seek(middle)
        file.write(bytes([byte ^ 0xFF]))


def tells_the_pack(service: Service) -> bool:
    """Tell whether Serve says why the new replica does not start: the pack, the file and both digests."""
    try:
        status: dict[str, Any] = service.cluster.status()
    except httpx.HTTPError:
        return False
    embedder = status["deployments"].get("Embedder")  # not there while Serve takes the new configuration in
    message = status["message"] + (embedder["message"] if embedder else "")
    wanted = (service.encoder["pack"], model_file(service).name, "has sha256", "expected")
    return all(word in message for word in wanted)
