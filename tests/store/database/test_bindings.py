"""The schema itself keeps rows of different tenants and collections apart, and counts and kinds within bounds."""

import asyncio

import asyncpg
import pytest

from store.database import schema
from store.database.migrate import apply_migrations
from store.database.schema import migrations
from store.gallery import Gallery
from store.types import NewPerson
from tests.store.faces import CONTRACT, collection, face

BEFORE = 5  # the last version without the composite keys
OLD_FACE = """
    with face as (
        insert into faces (
            face_id, person_pk, box_left, box_top, box_right, box_bottom, image_width, image_height,
            detection_score, quality, source
        )
        select gen_random_uuid(), person_pk, 0, 0, 1, 1, 10, 10, 0.9, '{}', 'server'
        from persons
        where id = $1
        returning face_pk
    )
    insert into embeddings (face_pk, contract_pk, collection_pk, embedding)
    select face_pk, contract_pk, collection_pk, (select array_agg(1)::vector from generate_series(1, 512))
    from face, collections
    where collections.id = $2
"""


@pytest.fixture
async def two_tenants(gallery: Gallery) -> None:
    """A collection of each of two tenants, with a person who has a face and a calibration that samples it."""
    for tenant, id, person in (("acme", "staff", "ada"), ("umbrella", "guests", "eve")):
        await gallery.create_collection(tenant, collection(id=id))
        await gallery.enroll_person(tenant, id, NewPerson(person), [face()], CONTRACT.id)
        await gallery.start_calibration(tenant, id, 1)


@pytest.mark.parametrize(
    "sql",
    [
        "update faces set person_pk = other.person_pk from persons as other"
        " where faces.person_pk <> other.person_pk and other.id = 'eve'",
        "update faces set collection_pk = (select max(collection_pk) from collections)",
        "update embeddings set collection_pk = (select max(collection_pk) from collections)",
        "update persons set collection_pk = (select max(collection_pk) from collections)",
        "update calibrations set collection_pk = (select max(collection_pk) from collections)",
        "update calibration_samples set person_pk = (select max(person_pk) from persons)",
        "update calibration_samples set face_pk = (select max(face_pk) from faces)",
        "update calibration_samples set calibration_pk = (select max(calibration_pk) from calibrations)"
        " where person_pk = (select min(person_pk) from persons)",
    ],
)
async def test_no_row_can_refer_to_another_tenants(two_tenants: None, connection: asyncpg.Connection, sql: str) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await connection.execute(sql)


@pytest.mark.parametrize(
    "change",
    [
        "collections set person_count = -1",
        "collections set face_count = -1",
        "collections set capacity_rows = 0",
        "collections set max_faces_per_person = 0",
        "collections set load_policy = 'sometimes'",
        "collections set search_profile = ''",
        "persons set face_count = -1",
        "faces set source = 'somewhere'",
        "faces set image_face = -1, image_id = gen_random_uuid()",
        "faces set image_face = 1",
        "faces set collection_pk = null",
    ],
)
async def test_counts_and_kinds_are_checked(two_tenants: None, connection: asyncpg.Connection, change: str) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await connection.execute(f"update {change}")


async def test_a_full_database_of_the_release_before_is_bound_while_that_release_writes(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = migrations()
    monkeypatch.setattr(schema, "migrations", lambda: known[:BEFORE])
    await apply_migrations(empty_url)
    connection, writer = await asyncpg.connect(empty_url), await asyncpg.connect(empty_url)
    await connection.execute(TWO_COLLECTIONS)
    for _ in range(5):
        await connection.execute(OLD_FACE, "ada", "staff")
    monkeypatch.setattr(schema, "migrations", lambda: known)

    migrating = asyncio.create_task(apply_migrations(empty_url))
    written = 5
    while not migrating.done():
        await writer.execute(OLD_FACE, "ada", "staff")
        await writer.execute(
            "insert into calibration_samples (calibration_pk, person_pk, face_pk)"
            " select calibration_pk, person_pk, face_pk from calibrations, faces on conflict do nothing"
        )
        written += 1
    await migrating
    await writer.execute(OLD_FACE, "ada", "staff")

    unbound = "select count(*) from {} join persons using (person_pk) where {}.collection_pk <> persons.collection_pk"
    assert await connection.fetchval("select count(collection_pk) from faces") == written + 1
    for table in ("faces", "calibration_samples"):
        assert await connection.fetchval(unbound.format(table, table)) == 0
    assert await connection.fetchval("select count(*) from pg_constraint where not convalidated") == 0
    assert await connection.fetchval("select count(*) from pg_index where not indisvalid") == 0
    await connection.execute("delete from persons")
    assert await connection.fetchval("select count(*) from faces") == 0
    assert await connection.fetchval("select count(*) from embeddings") == 0
    assert await connection.fetchval("select count(*) from calibration_samples") == 0
    await connection.close()
    await writer.close()


async def test_migrations_outside_a_transaction_can_be_repeated(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = migrations()
    repeated = [migration for migration in known if not migration.is_transactional]
    for migration in repeated:
        monkeypatch.setattr(schema, "migrations", lambda upto=migration.version: known[:upto])
        await apply_migrations(empty_url)
        connection = await asyncpg.connect(empty_url)
        for statement in migration.statements:
            await connection.execute(statement)
        await connection.close()

    assert repeated


TWO_COLLECTIONS = """
    insert into contracts (id, model_id, model_version, model_digest, dimension, preprocessing_version)
    values ('c', 'm', '1', 'd', 512, '1');
    insert into collections (
        tenant, id, name, description, threshold, contract_pk, detection, search_profile,
        capacity_rows, max_faces_per_person, load_policy, save_face_crops, metadata
    )
    select tenant, named.id, '', '', 0.4, contract_pk, '{}', 'fp32_v1', 10, 10, 'eager', false, '{}'
    from contracts, (values ('acme', 'staff'), ('umbrella', 'guests')) as named (tenant, id);
    insert into persons (collection_pk, id, metadata)
    select collection_pk, 'ada', '{}' from collections where id = 'staff';
    insert into calibrations (calibration_id, collection_pk, contract_pk, person_count)
    select gen_random_uuid(), collection_pk, contract_pk, 1 from collections where id = 'staff';
"""
