"""How many requests may be under way at once, learned from the embedder, and how many bodies may be arriving."""

import time
from collections.abc import Callable

from deployments.ports import EmbedderPort, EmbedderResult, Overloaded
from encoders.types import AnalyzeOptions, ModelDescription

# An image that waits for two others takes three times as long as alone. With less waiting an embedder would idle
# between one answer and the next request.
ACCEPTED_WAITS = 2.0
FIRST_CUT = 4.0  # a full queue holds a multiple of what the accepted wait allows
QUIET_S = 5.0  # without a refusal: the overload is over
BODIES_PER_PLACE = 3  # on their way; a client that stops in its body holds none of the places where work is done
LONGEST_S = 120.0  # then the whole queue is tried again; where that is wrong it costs a second


class Admission:
    """Counts the requests under way and says when another one is too many: at most `most`, fewer under overload.

    When the embedder refuses an image because its queue is full, or `most` requests are under way, this is more than a
    burst, and all that the queue does is to make those wait who are answered. From then on there is room for so few
    that an image waits for about two others. The rest is refused at once, before its token is checked and its body
    read, so that what it costs does not come off those who are answered. How many embedders there are need not be
    known.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._room = float(most)
        self._refused_at = self._narrow_since = float("-inf")
        self._under_way = 0
        self._arriving = 0

    @property
    def under_way(self) -> int:
        """How many requests are being worked on."""
        return self._under_way

    @property
    def arriving(self) -> int:
        """How many bodies are on their way."""
        return self._arriving

    @property
    def room(self) -> float:
        """How many requests that may need the embedder can be under way at present."""
        return self._room if self._is_narrow else self._most

    def admits(self, *, may_need_embedder: bool) -> bool:
        """Tell whether another request may enter."""
        if self._under_way >= self._most:
            self.learn_refusal()
            return False
        if not may_need_embedder or not self._is_narrow or self._under_way < self._room:
            return True
        self._refused_at = self._clock()
        return False

    def admits_body(self) -> bool:
        """Tell whether another body may be on its way."""
        return self._arriving < BODIES_PER_PLACE * self._most

    def expect_body(self) -> None:
        """Count a body that is on its way."""
        self._arriving += 1

    def end_body(self) -> None:
        """Count a body that is there, or will not come."""
        self._arriving -= 1

    def enter(self) -> None:
        """Count a request that begins."""
        self._under_way += 1

    def leave(self) -> None:
        """Count a request that ends."""
        self._under_way -= 1

    def learn_refusal(self) -> None:
        """Take room away: the embedder refused an image, or no request may enter any more."""
        if not self._is_narrow:
            self._narrow_since = self._clock()
            self._room = self._most
        self._refused_at = self._clock()
        self._room = max(1.0, min(self._room, self._under_way / FIRST_CUT))

    def learn_waits(self, waits: float) -> None:
        """Change the room a little: an image waited `waits` times as long as it took."""
        step = 1 / self._room if waits <= ACCEPTED_WAITS else -1 / self._room
        self._room = min(self._most, max(1.0, self._room + step))

    @property
    def _is_narrow(self) -> bool:
        now = self._clock()
        return now - self._refused_at < QUIET_S and now - self._narrow_since < LONGEST_S


class AdmissionTicket:
    """What one request counts as: while its body is on its way as such, then as one of those under way."""

    def __init__(self, admission: Admission, *, may_need_embedder: bool, is_always_admitted: bool) -> None:
        self._admission = admission
        self._may_need_embedder = may_need_embedder
        self._is_always_admitted = is_always_admitted
        self._give_back: Callable[[], None] = _nothing

    def expect_body(self) -> None:
        """Count the request as one whose body is on its way. Raises Overloaded where it would have to be refused."""
        self._require_room()
        if not self._is_always_admitted and not self._admission.admits_body():
            raise Overloaded
        self._admission.expect_body()
        self._give_back = self._admission.end_body

    def enter(self) -> None:
        """Count the request as under way, unless it is already. Raises Overloaded."""
        if self._give_back == self._admission.leave:
            return
        self._require_room()
        self.leave()
        self._admission.enter()
        self._give_back = self._admission.leave

    def leave(self) -> None:
        """Count the request no more."""
        self._give_back()
        self._give_back = _nothing

    def _require_room(self) -> None:
        if not self._is_always_admitted and not self._admission.admits(may_need_embedder=self._may_need_embedder):
            raise Overloaded


def _nothing() -> None:
    pass


class AdmittedEmbedder:
    """An embedder from which `admission` learns."""

    def __init__(self, embedder: EmbedderPort, admission: Admission) -> None:
        self._embedder = embedder
        self._admission = admission

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        """Return the faces of `image`. Raises ImageError, Overloaded or Unavailable."""
        try:
            result = await self._embedder.analyze(image, options)
        except Overloaded:
            self._admission.learn_refusal()
            raise
        self._admission.learn_waits(result.waits)
        return result

    async def describe(self) -> ModelDescription:
        """Return the models that run. Raises Unavailable."""
        return await self._embedder.describe()
