"""How many bytes of request bodies an ingress replica holds at once, and whose they are."""

from collections import Counter

from deployments import bounds
from deployments.ports import Overloaded


class HeldBytes:
    """Counts the bytes of bodies that are on their way or worked on: at most `most`, and a tenant's share of that.

    What has arrived counts, not what was announced: who announces much and sends little keeps nobody out.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._of_a_tenant = int(most * bounds.TENANT_SHARE)
        self._held: Counter[str | None] = Counter()
        self._total = 0

    @property
    def total(self) -> int:
        """Bytes held at present."""
        return self._total

    def take(self, tenant: str | None, count: int) -> None:
        """Hold `count` more bytes for `tenant`. Raises Overloaded."""
        if self._total + count > self._most or self._held[tenant] + count > self._of_a_tenant:
            raise Overloaded
        self._held[tenant] += count
        self._total += count

    def give_back(self, tenant: str | None, count: int) -> None:
        """Hold `count` bytes less for `tenant`."""
        self._held[tenant] -= count
        self._total -= count
        if not self._held[tenant]:
            del self._held[tenant]
