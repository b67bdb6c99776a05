"""Takes a calibration forward for a while. No connection is held while scores are computed."""

import asyncio
import time
from functools import partial

from store.calibration import calibration_table
from store.calibration.comparing import compared
from store.database.pool import Database

CHUNK = 2048  # faces, 4 MB: while asyncpg takes a larger answer apart no search is answered


async def advance(database: Database, tenant: str, collection_id: str, id: str, budget_s: float) -> None:
    """Compare further faces, for about `budget_s` seconds or to the end. Raises CalibrationNotFound.

    Two who do so at the same time cost each other work and nothing else.
    """
    ends_at = time.monotonic() + budget_s
    run = await database.read(lambda connection: calibration_table.unfinished(connection, tenant, collection_id, id))
    if run is None:
        return
    after, best = run.last_face_pk, run.best
    while True:
        chunk = await database.read(partial(calibration_table.read_chunk, run=run, after=after, limit=CHUNK))
        found = await asyncio.to_thread(compared, run.samples, chunk, best) if len(run.samples.faces) else best
        is_ours = await database.write(
            partial(calibration_table.record, run=run, after=after, chunk=chunk, former=best, best=found)
        )
        if not is_ours or len(chunk.faces) == 0 or time.monotonic() > ends_at:
            return
        after, best = int(chunk.faces[-1]), found
