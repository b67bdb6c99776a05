"""What the clients of a load asked for, what they were answered, and what that obliges the service to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tests.benchmarks.gaps import longest_gap_s

RETRYABLE = (429, 503)


class Answer(StrEnum):
    """What a client makes of the end of one attempt."""

    DONE = "done"
    REFUSED = "refused"  # 429 or 503 in the service's envelope: try again
    CONNECTION = "connection"  # refused, reset, or closed before an answer
    HUNG = "hung"  # no answer within the client's patience
    PROXY = "proxy"  # a 5xx without the envelope: the proxy speaks for an ingress replica that died
    OTHER = "other"  # any other status or body, a traceback, a wrong answer


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP request: what for, when (monotonic seconds), and how it ended. `told`: status and error code."""

    kind: str
    began: float
    ended: float
    answer: Answer
    told: str


@dataclass(slots=True)
class Enrolment:
    """A person that a client wants enrolled, under one `Idempotency-Key` for all attempts.

    `number` is the picture's, `name` is in no other enrolment. `person_id` is None until the service acknowledged it.
    """

    number: int
    name: str
    person_id: str | None = None
    is_to_be_deleted: bool = False
    is_deleted: bool = False


@dataclass(slots=True)
class Ledger:
    """What one load did. `changed`: repeats of an acknowledged enrolment that were answered with another person."""

    attempts: list[Attempt] = field(default_factory=list)
    enrolments: list[Enrolment] = field(default_factory=list)
    changed: int = 0

    @property
    def acknowledged(self) -> list[Enrolment]:
        """The enrolments that the service said it made."""
        return [enrolment for enrolment in self.enrolments if enrolment.person_id is not None]

    @property
    def due(self) -> list[Enrolment]:
        """The enrolments that must be there: acknowledged, and no client ever asked for their deletion."""
        return [enrolment for enrolment in self.acknowledged if not enrolment.is_to_be_deleted]


def code_of(status: int, body: object) -> str | None:
    """Return the error code of a body in the service's envelope, None for any other body."""
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if status >= 400 and isinstance(code, str) and isinstance(body, dict) and "request_id" in body else None


def judge(status: int, body: object, text: str, is_expected: bool) -> tuple[Answer, str]:
    """Return what an answer means, and its status and code as text. `body`: the JSON that `text` is, if it is any."""
    if is_expected:
        return Answer.DONE, str(status)
    if "Traceback" in text:
        return Answer.OTHER, f"{status} with a traceback"
    code = code_of(status, body)
    if code is not None:
        return (Answer.REFUSED if status in RETRYABLE else Answer.OTHER), f"{status} {code}"
    if status >= 500:
        return Answer.PROXY, f"{status} of the proxy: {text[:60]!r}"
    return Answer.OTHER, f"{status} with a wrong answer"


def count_answers(attempts: Sequence[Attempt]) -> dict[str, int]:
    """Return how many attempts ended in each way."""
    found = Counter(attempt.answer for attempt in attempts)
    return {str(answer): found[answer] for answer in Answer}


def told(attempts: Sequence[Attempt]) -> dict[str, int]:
    """Return how often each refusal or failure was told."""
    return dict(Counter(attempt.told for attempt in attempts if attempt.answer is not Answer.DONE).most_common())


def longest_outage_s(attempts: Sequence[Attempt]) -> float:
    """Return the longest time in which no attempt succeeded, in seconds, the beginning and the end included."""
    if not attempts:
        return 0.0
    return longest_gap_s(
        min(attempt.began for attempt in attempts),
        (attempt.ended for attempt in attempts if attempt.answer is Answer.DONE),
        max(attempt.ended for attempt in attempts),
    )


def recovery_s(attempts: Sequence[Attempt], since: float) -> float:
    """Return the time from `since` to the end of the last attempt that did not succeed, 0 without one, in seconds."""
    ends = [attempt.ended for attempt in attempts if attempt.answer is not Answer.DONE]
    return max(0.0, max(ends, default=since) - since)
