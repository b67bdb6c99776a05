"""The import itself: hash, ask what is wanted, enrol that, and ask again whether it is there.

Nothing is remembered on this side. Each file is sent under an idempotency key of its collection, person and content, so
that two imports at once, or one that is repeated, enrol it once. An answer under a key may be about a face that was
deleted since: so the plan is asked again after each batch, and a file that is still wanted is sent under a key that the
id of the deleted face goes into as well.
"""

import asyncio
import hashlib
import itertools
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deployments.commands.errors import CommandFailed
from deployments.commands.importing.outcomes import FileOutcome, Report
from deployments.commands.importing.pace import Pace
from deployments.commands.importing.photos import ImportPhoto
from faceserve_client import AsyncClient, FaceserveError, PersonExists, RegistrationFailed, StatusError
from faceserve_client.models.imports import ImportPlanResponse

BATCH = 500  # files of one plan; with BATCHES_AT_ONCE, all that is held in memory
BATCHES_AT_ONCE = 2  # so that the next is planned and begun while the last files of one are under way
RECENT = 4 * BATCH * BATCHES_AT_ONCE  # digests that are remembered, to tell a file that comes twice at once
ROUNDS = 5  # deletions of the same file within a day that are seen through
PERSON_CODES = frozenset(
    {"person_face_limit_exceeded", "external_id_exists", "invalid_metadata", "invalid_request", "invalid_person_id"}
)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What an import does. `max_errors`: it stops once more files than this were rejected or failed, None for never."""

    collection_id: str
    review_mode: str = "off"
    concurrency: int = 8
    max_errors: int | None = None
    is_dry_run: bool = False


class TooManyErrors(CommandFailed):
    """More files were rejected than `--max-errors` allows."""


@dataclass(frozen=True, slots=True)
class Item:
    """A photo with its digest in hex. `salt`: the id of the face that an earlier answer under its key was about."""

    photo: ImportPhoto
    sha256: str
    salt: str = ""

    def key(self, kind: str, collection_id: str) -> str:
        """Return the idempotency key of an enrolment of this file."""
        parts = (collection_id, self.photo.person_id, self.sha256, self.salt)
        return f"import-{kind}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()}"


class Import:
    """One run of an import."""

    def __init__(self, client: AsyncClient, options: ImportOptions, report: Report) -> None:
        self._client = client.with_options(retries=0)  # the pace repeats
        self._options = options
        self._report = report
        self._pace = Pace(options.concurrency)
        self._recent: OrderedDict[str, str] = OrderedDict()

    async def run(self, photos: Iterator[ImportPhoto]) -> None:
        """Bring `photos` into the collection. Raises TooManyErrors, CommandFailed, FaceserveError."""
        turns = asyncio.Semaphore(BATCHES_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as tasks:
                while batch := await asyncio.to_thread(self._read, photos):
                    await turns.acquire()
                    task = tasks.create_task(self._batch(batch))
                    task.add_done_callback(lambda _: turns.release())
        except BaseExceptionGroup as group:
            raise _first(group) from group

    def _read(self, photos: Iterator[ImportPhoto]) -> list[Item | FileOutcome]:
        """Return the next batch, hashed; a file that cannot be read as its outcome."""
        found: list[Item | FileOutcome] = []
        for photo in itertools.islice(photos, BATCH):
            try:
                with photo.path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                details = {"error": error.strerror or type(error).__name__}
                found.append(FileOutcome(photo.path, photo.person_id, "failed", "unreadable_file", details))
                continue
            found.append(Item(photo, digest))
        return found

    async def _batch(self, batch: Sequence[Item | FileOutcome]) -> None:
        items: list[Item] = []
        for found in batch:
            if isinstance(found, FileOutcome):
                self._tell(found)
            elif (first := self._recent.get(found.sha256)) is not None:
                self._tell(_outcome(found, "duplicate", found_person_id=first))
            else:
                self._remember(found)
                items.append(found)
        for round in range(ROUNDS + 1):
            if items:
                items = await self._round(items, is_first=round == 0)
        for item in items:
            self._tell(_outcome(item, "failed", "not_kept"))

    async def _round(self, items: Sequence[Item], *, is_first: bool) -> list[Item]:
        """Enrol those of `items` that are wanted; return those that the service answered about but does not have."""
        plan = await self._plan(items)
        wanted: dict[str, list[Item]] = {}
        for item, planned in zip(items, plan.items, strict=True):
            if planned.state == "wanted":
                if self._options.is_dry_run:
                    self._tell(_outcome(item, "wanted"))
                else:
                    wanted.setdefault(item.photo.person_id, []).append(item)
            elif not is_first:
                self._tell(_outcome(item, "enrolled"))
            elif planned.state == "present":
                self._tell(_outcome(item, "present"))
            else:
                self._tell(_outcome(item, "elsewhere", found_person_id=planned.found_person_id))
        sent: list[Item] = []
        async with asyncio.TaskGroup() as tasks:
            for person_id, those in wanted.items():
                tasks.create_task(self._person(those, person_id in plan.person_ids, sent))
        return sent

    async def _plan(self, items: Sequence[Item]) -> ImportPlanResponse:
        asked = [{"sha256": item.sha256, "person_id": item.photo.person_id} for item in items]
        return await self._pace.send(lambda: self._client.plan_import(self._options.collection_id, asked))

    async def _person(self, items: Sequence[Item], is_there: bool, sent: list[Item]) -> None:
        """Enrol the photos of one person: the first that is taken creates the person, the others are added at once."""
        left = list(items)
        while left and not is_there:
            item = left.pop(0)
            try:
                face_id = await self._create(item)
            except PersonExists:
                # Somebody created the person meanwhile, maybe with one of these files: it must not be added again.
                is_there = True
                left = await self._still_wanted([item, *left])
            except StatusError as error:
                self._refused(item, error)
            else:
                sent.append(replace(item, salt=face_id))
                is_there = True
        async with asyncio.TaskGroup() as tasks:
            for item in left:
                tasks.create_task(self._add(item, sent))

    async def _still_wanted(self, items: Sequence[Item]) -> list[Item]:
        plan = await self._plan(items)
        wanted = []
        for item, planned in zip(items, plan.items, strict=True):
            if planned.state == "wanted":
                wanted.append(item)
            else:
                self._tell(_outcome(item, "present"))
        return wanted

    async def _add(self, item: Item, sent: list[Item]) -> None:
        collection_id, photo = self._options.collection_id, item.photo
        common = self._common("add", item)
        try:
            added = await self._pace.send(
                lambda: self._client.add_faces(collection_id, photo.person_id, [photo.path], **common)
            )
        except StatusError as error:
            self._refused(item, error)
            return
        if added.faces:
            sent.append(replace(item, salt=added.faces[0].id))
        else:
            [rejection] = added.rejected_images
            self._rejected(item, rejection.model_dump(exclude_none=True))

    async def _create(self, item: Item) -> str:
        """Enrol the person of a file; return the id of its face."""
        photo = item.photo
        common = self._common("create", item)
        created = await self._pace.send(
            lambda: self._client.create_person(
                self._options.collection_id,
                [photo.path],
                id=photo.person_id,
                name=photo.name,
                external_id=photo.external_id,
                metadata=photo.metadata or None,
                **common,
            )
        )
        return created.faces[0].id

    def _common(self, kind: str, item: Item) -> dict[str, Any]:
        return {
            "review_mode": self._options.review_mode,
            "idempotency_key": item.key(kind, self._options.collection_id),
        }

    def _refused(self, item: Item, error: StatusError) -> None:
        if isinstance(error, RegistrationFailed):
            [rejection] = error.rejected_images
            self._rejected(item, rejection)
        elif error.status in (413, 422) or error.code in PERSON_CODES:
            self._tell(FileOutcome(item.photo.path, item.photo.person_id, "rejected", error.code, error.details))
        elif error.code == "person_not_found":  # deleted just now; the next run creates the person
            self._tell(_outcome(item, "failed", error.code))
        else:  # of the token, the collection or the service: every other file would meet the same
            raise error

    def _rejected(self, item: Item, rejection: Mapping[str, Any]) -> None:
        facts = {name: fact for name, fact in rejection.items() if name not in ("index", "filename", "reason")}
        self._tell(FileOutcome(item.photo.path, item.photo.person_id, "rejected", str(rejection["reason"]), facts))

    def _remember(self, item: Item) -> None:
        self._recent[item.sha256] = item.photo.person_id
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    def _tell(self, outcome: FileOutcome) -> None:
        self._report.add(outcome)
        most = self._options.max_errors
        if most is not None and self._report.bad > most:
            raise TooManyErrors(f"Stopped after {self._report.bad} files that were not taken; --max-errors is {most}.")


def _outcome(item: Item, result: Any, reason: str = "", **details: Any) -> FileOutcome:
    return FileOutcome(item.photo.path, item.photo.person_id, result, reason, details)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error to tell: one of ours before any other."""
    leaves: list[BaseException] = []
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop(0)
        waiting += error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        leaves += () if isinstance(error, BaseExceptionGroup) else (error,)
    return next((leaf for leaf in leaves if isinstance(leaf, CommandFailed | FaceserveError)), leaves[0])
