from store.embedded.local import LocalPostgres
from tests.store.database.snapshot import SNAPSHOT, schema_of


def test_the_schema_snapshot_is_what_the_migrations_make(postgres: LocalPostgres, template: str) -> None:
    made = schema_of(postgres, template)

    assert made == SNAPSHOT.read_text(), "run `uv run python -m tests.store.database.snapshot`"
