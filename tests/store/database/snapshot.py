"""The schema as pg_dump tells it: `python -m tests.store.database.snapshot` writes store/schema.sql anew."""

import asyncio
import subprocess
from pathlib import Path

from store.database.migrate import apply_migrations
from store.embedded.local import LocalPostgres, temporary_postgres
from store.embedded.postmaster_user import postmaster_user

SNAPSHOT = Path(__file__).parents[3] / "store" / "schema.sql"
NOISE = ("--", "SET ", "SELECT pg_catalog.set_config", "\\restrict", "\\unrestrict")


def schema_of(server: LocalPostgres, database: str) -> str:
    """Return the statements that make the database's schema, without settings and comments."""
    user = postmaster_user()
    command = [str(user.binaries() / "pg_dump"), "--schema-only", "--no-owner", server.url_of(database)]
    dumped = subprocess.run(command, check=True, capture_output=True, text=True, **user.popen()).stdout
    lines = [line for line in dumped.splitlines() if not line.startswith(NOISE)]
    statements = [part.strip("\n") for part in "\n".join(lines).split("\n\n")]
    return "\n\n".join(part for part in statements if part) + "\n"


if __name__ == "__main__":
    with temporary_postgres(settings={"fsync": "off"}) as postgres:
        asyncio.run(apply_migrations(postgres.url))
        SNAPSHOT.write_text(schema_of(postgres, "postgres"))
