"""The service that is attacked: one of our own behind HAProxy, as production runs it, or the operator's."""

from collections.abc import Iterator

import pytest

from deployments.commands.up import HAPROXY_PORTS
from tests.attack.target import Signer, Target, foreign_target
from tests.cluster.node import SECRET, Cluster
from tests.deployments import pictures
from tests.endurance.running import running_service
from tests.ports import free_port


@pytest.fixture(scope="package")
def service() -> Iterator[Cluster | None]:
    """The service that the tests started, None where they attack another."""
    if foreign_target() is not None:
        yield None
        return
    with running_service(lambda config: None, **{name: str(free_port()) for name in HAPROXY_PORTS}) as cluster:
        yield cluster


@pytest.fixture(scope="package")
def target(service: Cluster | None) -> Iterator[Target]:
    foreign = foreign_target()
    if foreign is None:
        assert service is not None
        foreign = Target(service.url, Signer(SECRET, "HS256", "faceserve", "faceserve"))
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
