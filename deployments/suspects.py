"""Images during whose analysis an embedder died: after the second time they are refused for a while."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

DEATHS = 2  # one may be chance: the machine was lost, or another image was to blame
REMEMBERED_S = 600.0
MOST = 1024  # digests; a replica that dies has up to 16 images


class Suspects:
    """Remembers by their digests the images under way when a replica died.

    A picture on which a native decoder crashes would otherwise take two embedders a request, and two more at each
    attempt of its client, until nobody is served.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deaths: OrderedDict[bytes, tuple[int, float]] = OrderedDict()  # how many, and when the last

    def is_refused(self, image: bytes) -> bool:
        """Tell whether `image` was there at too many deaths. Costs nothing while no replica has died."""
        return bool(self._deaths) and self._count(_digest(image)) >= DEATHS

    def add(self, image: bytes) -> None:
        """Remember that a replica died with `image`."""
        digest = _digest(image)
        self._deaths[digest] = self._count(digest) + 1, self._clock()
        self._deaths.move_to_end(digest)
        if len(self._deaths) > MOST:
            self._deaths.popitem(last=False)

    def clear(self, image: bytes) -> None:
        """Forget `image`: a replica has analysed it."""
        if self._deaths:
            self._deaths.pop(_digest(image), None)

    def _count(self, digest: bytes) -> int:
        deaths, last_at = self._deaths.get(digest, (0, 0.0))
        if deaths and self._clock() - last_at > REMEMBERED_S:
            del self._deaths[digest]
            return 0
        return deaths


def _digest(image: bytes) -> bytes:
    return hashlib.sha256(image).digest()
