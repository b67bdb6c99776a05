"""What surrounds a run: pictures before it, collections of its own while it lasts.

The standalone runner or the master makes and deletes the collections; workers learn their name with the order to start.
"""

import logging
import os
import random
import sys
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
from _faces import Album, NoPhotos, enrolled_jpeg, find_people, make_album
from _service import Service, SetupFailed
from locust.env import Environment
from locust.exception import StopTest
from locust.runners import MasterRunner, WorkerRunner

LOGGER = logging.getLogger("faceserve.load")
DEFAULT_URL = "http://127.0.0.1:8000"
OPTION = "faceserve_collection"  # locust's options travel from the master to the workers
STOP_USERS = "faceserve_stop_users"  # a message from the master to the workers
WORKERS_STOP_S = 15.0  # beyond locust's --stop-timeout


@dataclass(slots=True)
class Run:
    """What the users of this process share, as `environment.faceserve`. `collection` is None outside of a run.

    The enrol journey writes to `intake`, a collection of its own: copies of people there confuse no search.
    """

    token: str
    album: Album | None
    collection: str | None = None

    @property
    def intake(self) -> str:
        """Return the collection that the enrol journey writes to."""
        return f"{self.collection}-in"


def prepare(environment: Environment, **_: Any) -> None:
    """Make the pictures, before anything is measured. A missing token or photo ends the process here."""
    token = os.environ.get("FACESERVE_TOKEN", "").strip()
    if not token:
        sys.exit("Expected a token in FACESERVE_TOKEN; `faceserve up` prints one.")
    if not environment.host:
        environment.host = os.environ.get("FACESERVE_URL") or DEFAULT_URL
    environment.host = environment.host.rstrip("/")
    album = None
    if not isinstance(environment.runner, MasterRunner):  # a master sends nothing
        try:
            # a rest lets a worker's heartbeat through
            album = make_album(find_people(_folder()), _longest_px(), random.Random(), lambda: gevent.sleep(0))
        except NoPhotos as error:
            sys.exit(str(error))
    if isinstance(environment.runner, WorkerRunner):
        environment.runner.register_message(STOP_USERS, _stop_users, concurrent=True)
    environment.faceserve = Run(token, album)  # type: ignore[attr-defined]


def begin(environment: Environment, **_: Any) -> None:
    """Create the run's collections and enrol everybody; on a worker, take over their name."""
    run: Run = environment.faceserve  # type: ignore[attr-defined]
    if isinstance(environment.runner, WorkerRunner):
        run.collection = vars(environment.parsed_options)[OPTION]
        return
    run.collection = f"load-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:8]}"
    service = Service(environment.host or DEFAULT_URL, run.token)
    try:
        count = _furnish(service, run)
    except (SetupFailed, NoPhotos) as error:
        LOGGER.error("The run cannot begin: %s", error)
        _give_up(environment)
        raise StopTest("The run could not be set up.") from None
    LOGGER.info("Enrolled %d people in the collection %s", count, run.collection)
    vars(environment.parsed_options)[OPTION] = run.collection
    environment.runner.stats.clear_all()  # the rates count from here, not from before the enrolments


def end(environment: Environment, **_: Any) -> None:
    """Delete the run's collections, once nobody asks any more."""
    run: Run = environment.faceserve  # type: ignore[attr-defined]
    if isinstance(environment.runner, WorkerRunner) or run.collection is None:
        return
    if isinstance(environment.runner, MasterRunner):
        _stop_workers(environment.runner)
    _clear_away(Service(environment.host or DEFAULT_URL, run.token), (run.collection, run.intake))
    run.collection = None


def _furnish(service: Service, run: Run) -> int:
    """Create the collections and enrol everybody; return how many they are. Leaves nothing behind when it fails."""
    people = find_people(_folder())
    created: list[str] = []
    try:
        for collection in (str(run.collection), run.intake):
            service.create_collection(collection)
            created.append(collection)
        for person, photos in people.items():
            service.enroll(str(run.collection), person, enrolled_jpeg(photos, _longest_px()))
    except SetupFailed:
        _clear_away(service, created)
        run.collection = None
        raise
    return len(people)


def _stop_workers(runner: MasterRunner) -> None:
    """Wait until the workers' users are gone and their last requests are counted.

    At the end of a headless run locust fires `test_stop` before it tells the workers, who would ask on for a while.
    """
    if not runner.user_count:
        return
    runner.send_message(STOP_USERS)
    deadline = time.monotonic() + WORKERS_STOP_S + (runner.environment.stop_timeout or 0)
    while runner.user_count and time.monotonic() < deadline:
        gevent.sleep(0.1)  # the reports that bring the last requests, every 3 seconds, say that there are no users


def _stop_users(environment: Environment, **_: Any) -> None:
    environment.runner.stop()


def _clear_away(service: Service, collections: Iterable[str]) -> None:
    for collection in collections:
        try:
            service.delete_collection(collection)
        except SetupFailed as error:
            LOGGER.error("The collection %s could not be deleted: %s", collection, error)


def _give_up(environment: Environment) -> None:
    environment.process_exit_code = 1
    options = environment.parsed_options
    # StopTest ends a standalone run, but not a master's
    if isinstance(environment.runner, MasterRunner) and options is not None and options.headless:
        gevent.spawn(environment.runner.quit)


def _folder() -> Path | None:
    folder = os.environ.get("FACESERVE_PHOTOS")
    return Path(folder).expanduser() if folder else None


def _longest_px() -> int:
    return int(os.environ.get("FACESERVE_PHOTO_PX", "640"))
