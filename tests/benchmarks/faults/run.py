"""One fault while clients are at work, and what came of it."""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from tests.benchmarks.faults import database, replicas, rollout
from tests.benchmarks.faults.ledger import Answer, Ledger, count_answers, longest_outage_s, recovery_s, told
from tests.benchmarks.faults.load import Target, load
from tests.benchmarks.faults.service import Service
from tests.benchmarks.faults.verdict import Verdict, verdict

CLIENTS = 8
BEFORE_S = 4.0  # of load before the fault
AFTER_S = 5.0  # of load after the service is whole again

Inject = Callable[[Service], None]
FAULTS: Mapping[str, Inject] = {
    "kill-ingress": replicas.kill_ingress,
    "kill-embedder": replicas.kill_embedder,
    "kill-search": replicas.kill_search,
    "kill-proxy": replicas.kill_proxy,
    "kill-controller": replicas.kill_controller,
    "freeze-embedder": replicas.freeze_embedder,
    "freeze-search": replicas.freeze_search,
    "postgres-stop": database.stop_fast,
    "postgres-restart": database.restart,
    "postgres-kill": database.kill,
    "postgres-freeze": database.freeze,
    "postgres-slow": database.slow,
    "postgres-disk-full": database.fill_disk,
    "redeploy": rollout.redeploy,
    "corrupt-model-kill": rollout.corrupt_and_kill,
    "corrupt-model-redeploy": rollout.corrupt_and_redeploy,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What clients saw of a fault, and whether anything was lost.

    `lasted_s`: from the fault to its end. `recovery_s`: from its end to the end of the last request that did not
    succeed. `gap_s`: the longest time without a success, for all clients together. `whole_s`: from its end until every
    replica ran again. `told`: refusals and failures.
    """

    fault: str
    requests: int
    refused: int
    connection_errors: int
    proxy_errors: int
    hung: int
    other: int
    told: Mapping[str, int]
    lasted_s: float
    recovery_s: float
    gap_s: float
    whole_s: float
    acknowledged: int
    changed: int
    verdict: Verdict

    @property
    def is_clean(self) -> bool:
        """Whether something was acknowledged and nothing lost, and clients saw nothing that a retry does not mend."""
        unexpected = self.changed, self.proxy_errors, self.hung, self.other
        return self.verdict.is_clean and self.acknowledged > 0 and not any(unexpected)

    def facts(self) -> dict[str, object]:
        """Return it as JSON can hold it."""
        return asdict(self)


def missing_for(fault: str, service: Service) -> str | None:
    """Return what this service lacks for a fault, None where it can be injected."""
    if fault == "postgres-disk-full" and service.volume is None:
        return "needs root, to mount a small file system"
    return None


async def under_load(
    service: Service,
    fault: str,
    pictures: Callable[[int], bytes],
    *,
    clients: int = CLIENTS,
    before_s: float = BEFORE_S,
    after_s: float = AFTER_S,
) -> Outcome:
    """Inject a fault while clients enrol, search and delete; judge once the service is whole again."""
    ledger = Ledger()
    target = Target(service.cluster.url, service.authorization, f"f-{uuid.uuid4().hex[:12]}", pictures)
    await target.create()
    async with load(target, ledger, clients):
        await asyncio.sleep(before_s)
        began = time.monotonic()
        await asyncio.to_thread(FAULTS[fault], service)
        ended = time.monotonic()
        await asyncio.to_thread(service.wait_until_whole)
        whole = time.monotonic()
        await asyncio.sleep(after_s)
    answers = count_answers(ledger.attempts)
    return Outcome(
        fault=fault,
        requests=len(ledger.attempts),
        refused=answers[Answer.REFUSED],
        connection_errors=answers[Answer.CONNECTION],
        proxy_errors=answers[Answer.PROXY],
        hung=answers[Answer.HUNG],
        other=answers[Answer.OTHER],
        told=told(ledger.attempts),
        lasted_s=ended - began,
        recovery_s=recovery_s(ledger.attempts, ended),
        gap_s=longest_outage_s(ledger.attempts),
        whole_s=whole - ended,
        acknowledged=len(ledger.acknowledged),
        changed=ledger.changed,
        verdict=await verdict(target, ledger, service.postgres.url),
    )
