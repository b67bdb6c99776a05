"""A real Ray cluster with the application deployed by `serve deploy`, on an external PostgreSQL, over real HTTP."""

from collections.abc import Iterator

import pytest

from store.embedded.local import temporary_postgres
from tests.cluster.node import Cluster, production_config, running_cluster
from tests.ports import free_port


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    with temporary_postgres(port=free_port()) as postgres, running_cluster(postgres, production_config) as running:
        yield running
