"""A release that is one migration ahead, and a replica in a process of its own that writes and searches until it ends.

`python -m tests.store.database.rolling URL NUMBER old|new` prints a line once it is open, and on its end how many
requests it answered, then each that failed.
"""

import asyncio
import contextlib
import signal
import sys

from store.database import schema
from store.database.schema import Migration
from store.gallery import Gallery
from store.types import NewPerson
from tests.store.faces import CONTRACT, face

KNOWN = schema.migrations()
CURRENT = KNOWN[-1].version
NEXT = Migration.parse(
    CURRENT + 1,
    "remember_badges",
    f"""-- Persons have a badge. Takes a short lock on persons.
-- works-from: {CURRENT:04d}

alter table persons add column badge text not null default '';
alter table embeddings add column checked boolean not null default false;
""",
)


def become_next_release() -> None:
    """Make this process the release after this one, whose schema has one migration more."""
    schema.migrations = lambda: (*KNOWN, NEXT)


async def work(url: str, number: int) -> None:
    """Enrol, change, search and delete until SIGTERM, as fast as it goes."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    gallery = await Gallery.open(url)
    print("open", flush=True)
    answered, failed = 0, list[str]()
    while not stop.is_set():
        id = f"r{number}-{answered}"
        try:
            enrolled = face(seed=number)
            await gallery.enroll_person("acme", "staff", NewPerson(id), [enrolled], CONTRACT.id)
            await gallery.update_person("acme", "staff", id, {"name": id})
            found = await gallery.search("acme", "staff", CONTRACT.id, enrolled.embedding[None], 5)
            if not found.candidates[0]:
                failed.append(f"{id}: nobody was found")
            await gallery.delete_person("acme", "staff", id)
        except Exception as exc:
            failed.append(f"{id}: {exc!r}")
        answered += 1
    with contextlib.suppress(Exception):
        await gallery.close()
    print(answered, *failed, sep="\n", flush=True)


if __name__ == "__main__":
    if sys.argv[3] == "new":
        become_next_release()
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))
