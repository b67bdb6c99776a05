"""The service that is attacked: one of our own behind HAProxy, as production runs it, or the operator's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.commands.up import HAPROXY_PORTS
from tests.attack.target import Signer, Target, foreign_target
from tests.benchmarks.endurance.running import running_service
from tests.cluster.node import SECRET, Cluster
from tests.deployments import pictures
from tests.deployments.tokens import private_key, public_pem
from tests.ports import free_port


@pytest.fixture(scope="package")
def public_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a public key that the service trusts, beside the shared secret."""
    file = tmp_path_factory.mktemp("keys") / "public.pem"
    file.write_text(public_pem(private_key("RS256")))
    return file


@pytest.fixture(scope="package")
def service(public_key: Path) -> Iterator[Cluster | None]:
    """The service that the tests started, None where they attack another."""
    if foreign_target() is not None:
        yield None
        return
    ports = {name: str(free_port()) for name in HAPROXY_PORTS}
    with running_service(lambda config: None, FACESERVE_JWT_PUBLIC_KEY_FILE=str(public_key), **ports) as cluster:
        yield cluster


@pytest.fixture(scope="package")
def target(service: Cluster | None, public_key: Path) -> Iterator[Target]:
    foreign = foreign_target()
    if foreign is None:
        assert service is not None
        foreign = Target(service.url, Signer(SECRET, "HS256", "faceserve", "faceserve"), public_key.read_text())
    yield foreign
    foreign.clean_up()


@pytest.fixture(scope="package")
def gallery(target: Target) -> str:
    """A collection of this run's tenant with the person `eileen` in it."""
    with target.client() as client:
        created = client.post("/v1/collections", json={"id": "crew", "name": "Crew"})
        assert created.status_code == 201, created.text
        photo = pictures.encoded(pictures.astronaut(), "PNG")
        enrolled = client.post("/v1/collections/crew/persons", files={"images": photo}, data={"id": "eileen"})
        assert enrolled.status_code == 201, enrolled.text
    return "crew"
