"""What became of each file of an import, written down as it happens."""

import csv
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from deployments.commands.errors import CommandFailed

Result = Literal["wanted", "enrolled", "present", "elsewhere", "duplicate", "rejected", "failed"]
COLUMNS = ("file", "person_id", "outcome", "reason", "details")
BAD: tuple[Result, ...] = ("rejected", "failed")


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of a file. `reason`: a code of enrolment. `details`: what led to it.

    `wanted`: it would be sent. `present`: the person has it already. `elsewhere`: another person has it, in `details`.
    `duplicate`: the same file came before in this import. `rejected`: the service does not take it. `failed`: it could
    not be read or sent.
    """

    file: Path
    person_id: str
    outcome: Result
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


class Report:
    """Counts outcomes, and writes each to a file: NDJSON, or CSV where the name ends so."""

    def __init__(self, path: Path | None) -> None:
        self.counts: Counter[Result] = Counter()
        self.reasons: Counter[str] = Counter()
        self._is_csv = path is not None and path.suffix == ".csv"
        try:
            self._file = None if path is None else path.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise CommandFailed(f"The report cannot be written to {path}: {error.strerror}.") from error
        if self._file is not None and self._is_csv:
            csv.writer(self._file).writerow(COLUMNS)

    @property
    def bad(self) -> int:
        """How many files were not taken."""
        return sum(self.counts[result] for result in BAD)

    @property
    def total(self) -> int:
        """How many files are done."""
        return sum(self.counts.values())

    def add(self, outcome: FileOutcome) -> None:
        """Count and write an outcome."""
        self.counts[outcome.outcome] += 1
        if outcome.reason:
            self.reasons[outcome.reason] += 1
        if self._file is None:
            return
        row = (str(outcome.file), outcome.person_id, outcome.outcome, outcome.reason)
        if self._is_csv:
            details = json.dumps(dict(outcome.details)) if outcome.details else ""
            csv.writer(self._file).writerow((*row, details))
        else:
            line = dict(zip(COLUMNS, (*row, dict(outcome.details)), strict=True))
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
