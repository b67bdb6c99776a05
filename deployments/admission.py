"""How many requests may be under way at once, which the embedder teaches."""

import time
from collections.abc import Callable

from deployments.ports import EmbedderPort, Overloaded, Seen
from encoders.types import AnalyzeOptions, ModelDescription

# An image that waits for two others takes three times as long as alone. With less waiting an embedder would idle
# between one answer and the next request.
ACCEPTED_WAITS = 2.0
FIRST_CUT = 4.0  # a full queue holds a multiple of what the accepted wait allows
QUIET_S = 5.0  # without a refusal: the overload is over
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

    def admits(self, *, may_need_embedder: bool) -> bool:
        """Tell whether another request may enter."""
        if self._under_way >= self._most:
            self.learn_refusal()
            return False
        if not may_need_embedder or not self._is_narrow or self._under_way < self._room:
            return True
        self._refused_at = self._clock()
        return False

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


class AdmittedEmbedder:
    """An embedder from which `admission` learns."""

    def __init__(self, embedder: EmbedderPort, admission: Admission) -> None:
        self._embedder = embedder
        self._admission = admission

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> Seen:
        """Return the faces of `image`. Raises ImageError, Overloaded or Unavailable."""
        try:
            seen = await self._embedder.analyze(image, options)
        except Overloaded:
            self._admission.learn_refusal()
            raise
        self._admission.learn_waits(seen.waits)
        return seen

    async def describe(self) -> ModelDescription:
        """Return the models that run. Raises Unavailable."""
        return await self._embedder.describe()
