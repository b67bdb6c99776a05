"""The migrations of this release, and whether it works with the schema that a database has.

A migration says in its first comment which release it leaves working, `works-from: NNNN`: replicas that know migration
NNNN go on, and start, while and after it is applied. So a release can be rolled out beside the one before.
"""

import re
from dataclasses import dataclass
from importlib.resources import files

from store.database.driver import Connection
from store.errors import SchemaMismatch


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema, a file `NNNN_verb_noun.sql`.

    `works_from`: the oldest version whose release works with the schema after this step.
    `is_transactional`: false for what PostgreSQL runs only outside a transaction, such as `create index concurrently`.
    """

    version: int
    name: str
    sql: str
    works_from: int
    is_transactional: bool = True

    @classmethod
    def parse(cls, version: int, name: str, sql: str) -> "Migration":
        """Return the migration in the text of its file. Raises ValueError for one that does not say `works-from`."""
        comment = sql.partition("\n\n")[0]
        works_from = re.search(r"^-- works-from: (\d{4})$", comment, re.MULTILINE)
        if works_from is None or int(works_from[1]) > version:
            raise ValueError(f"expected `-- works-from: NNNN`, up to {version:04d}, at the top of migration {name}")
        in_steps = re.search(r"^-- outside a transaction$", comment, re.MULTILINE)
        return cls(version, name, sql, int(works_from[1]), in_steps is None)

    @property
    def statements(self) -> tuple[str, ...]:
        """The statements one by one: in a migration outside a transaction an empty line stands between two."""
        return tuple(part for part in re.split(r"\n{2,}", self.sql.strip()) if not _is_comment(part))


def migrations() -> tuple[Migration, ...]:
    """The migrations of this release, in order."""
    found = []
    for entry in files("store").joinpath("migrations").iterdir():
        if match := re.fullmatch(r"(\d{4})_(\w+)\.sql", entry.name):
            found.append(Migration.parse(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda migration: migration.version))


async def schema_version(connection: Connection) -> int:
    """Return the version of the last migration that the database has, 0 for an empty one."""
    if await connection.fetchval("select to_regclass('schema_migrations') is null"):
        return 0
    version: int = await connection.fetchval("select coalesce(max(version), 0) from schema_migrations")
    return version


async def check_schema(connection: Connection) -> None:
    """Raise SchemaMismatch for a schema that lacks a migration of this release, or that it does not work with."""
    expected, found = migrations()[-1].version, await schema_version(connection)
    if found < expected or (found > expected and not await _works_with_newer(connection, expected)):
        raise SchemaMismatch(expected, found)


async def _works_with_newer(connection: Connection, expected: int) -> bool:
    """Whether every migration after `expected` left its release working; each says so in the database."""
    works: bool = await connection.fetchval(
        "select bool_and(coalesce(works_from, version) <= $1) from schema_migrations where version > $1", expected
    )
    return works


def _is_comment(part: str) -> bool:
    return all(line.startswith("--") for line in part.splitlines())
