from pathlib import Path

import asyncpg
import pytest

from store.embedded.local import LocalPostgres
from store.embedded.memory import machine_bytes, shared_buffers, stored_bytes

GB = 1 << 30


@pytest.mark.parametrize(
    ("stored_gb", "machine_gb", "expected_gb"),
    [(0, 16, 0.25), (4, 32, 5), (40, 32, 8), (4, 0.5, 0.25)],
)
def test_the_server_gets_buffers_for_what_it_stores_within_a_quarter_of_the_machine(
    stored_gb: float, machine_gb: float, expected_gb: float
) -> None:
    assert shared_buffers(int(stored_gb * GB), int(machine_gb * GB)) == expected_gb * GB


def test_a_directory_without_a_cluster_stores_nothing(tmp_path: Path) -> None:
    assert stored_bytes(tmp_path / "cluster") == 0


async def test_what_is_stored_is_measured_on_disk(postgres: LocalPostgres) -> None:
    connection = await asyncpg.connect(postgres.url)
    try:
        told = await connection.fetchval("select sum(pg_database_size(datname)) from pg_database")
    finally:
        await connection.close()

    assert stored_bytes(postgres.directory / "cluster") == pytest.approx(int(told), rel=0.1)


def test_the_machine_has_memory() -> None:
    assert GB / 4 < machine_bytes() < 1 << 50
