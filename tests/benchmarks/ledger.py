"""Enrols, searches and deletes on a service of yours, and then tells whether it kept what it acknowledged.

    FACESERVE_TOKEN=... faceserve bench ledger --url URL [--seconds 60] [--clients 8] [--photo FILE]

Break something meanwhile. Works in a collection of its own, which it deletes at the end. Ends with 1 when something was
lost, half there or doubled, when nothing was enrolled, or when an answer was neither right nor a reason to try again.
"""

import argparse
import asyncio
import os
import sys
import uuid
from pathlib import Path

import httpx

from tests.benchmarks.faults.ledger import Answer, Ledger, count_answers, longest_outage_s, told
from tests.benchmarks.faults.load import Target, load
from tests.benchmarks.faults.pictures import portraits
from tests.benchmarks.faults.verdict import Verdict, verdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--photo", type=Path, help="of one face; by default one that scikit-image ships")
    options = parser.parse_args()
    token = os.environ.get("FACESERVE_TOKEN")
    if not token:
        parser.error("expected a token in FACESERVE_TOKEN")
    target = Target(
        options.url.rstrip("/"), f"Bearer {token}", f"ledger-{uuid.uuid4().hex[:12]}", portraits(options.photo)
    )
    ledger, found = asyncio.run(keep_books(target, options.seconds, options.clients))
    answers = count_answers(ledger.attempts)
    print(f"requests {len(ledger.attempts)}: {answers}")
    print(f"refusals and failures: {told(ledger.attempts) or 'none'}")
    print(f"longest time without a success: {longest_outage_s(ledger.attempts):.1f} s")
    print(f"acknowledged {len(ledger.acknowledged)}, repeats answered with another person {ledger.changed}")
    print(f"lost {found.lost}, half there {found.half}, doubled {found.doubled}, back after deletion {found.returned}")
    is_clean = found.is_clean and bool(ledger.acknowledged) and not ledger.changed
    unexpected = answers[Answer.HUNG] + answers[Answer.PROXY] + answers[Answer.OTHER]
    print(
        f"{'clean' if is_clean and not unexpected else 'NOT CLEAN'}: {unexpected} answers that are no reason to retry"
    )
    sys.exit(0 if is_clean and not unexpected else 1)


async def keep_books(target: Target, seconds: float, clients: int) -> tuple[Ledger, Verdict]:
    """Return what the clients did and what the service holds of it."""
    ledger = Ledger()
    await target.create()
    try:
        async with load(target, ledger, clients):
            await asyncio.sleep(seconds)
        return ledger, await verdict(target, ledger)
    finally:
        async with httpx.AsyncClient(headers={"Authorization": target.authorization}, timeout=60) as client:
            await client.delete(f"{target.url}/v1/collections/{target.collection}", params={"force": "true"})


if __name__ == "__main__":
    main()
