"""How long a photo as base64 in JSON holds up an event loop: decoded whole, or as the ingress does."""

import argparse
import asyncio
import base64
import json
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping

from deployments.http.bodies import strict_json
from deployments.http.bodies.base64_body import decode_base64, lift_long_texts
from tests.benchmarks.results import publish, table

Work = Callable[[bytes], Awaitable[bytes]]


def decode_whole(body: bytes) -> bytes:
    return base64.b64decode(strict_json.load(body)["image"], validate=True)


async def on_the_loop(body: bytes) -> bytes:
    return decode_whole(body)


async def in_a_thread(body: bytes) -> bytes:
    return await asyncio.to_thread(decode_whole, body)


async def in_pieces(body: bytes) -> bytes:
    short, lifted = lift_long_texts(body)
    return await decode_base64(lifted[strict_json.load(short)["image"]])


WAYS: Mapping[str, Work] = {
    "whole, on the loop": on_the_loop,
    "whole, in a thread": in_a_thread,
    "in pieces, as the ingress does": in_pieces,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=10, help="of the photo")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--write", action="store_true", help="keep the result in tests/benchmarks/README.md")
    options = parser.parse_args()
    photo = random.Random(1).randbytes(options.megabytes * 2**20)
    body = json.dumps({"image": base64.b64encode(photo).decode()}).encode()
    measured = {}
    for name, work in WAYS.items():
        rounds = [asyncio.run(lag_and_time(work, body, photo)) for _ in range(options.rounds)]
        measured[name] = {
            "lag_ms": statistics.median(lag for lag, _ in rounds),
            "took_ms": statistics.median(took for _, took in rounds),
        }
    rows = [[name, f"{found['lag_ms']:.1f}", f"{found['took_ms']:.1f}"] for name, found in measured.items()]
    markdown = table(["base64 parsed and decoded", "longest hold, ms", "in all, ms"], rows)
    print(markdown)
    if options.write:
        command = f"faceserve bench loop_lag --megabytes={options.megabytes} --rounds={options.rounds} --write"
        publish("loop_lag", command, {"measured": measured}, markdown)


async def lag_and_time(work: Work, body: bytes, expected: bytes) -> tuple[float, float]:
    """Return how long another task of the loop waits at most, and how long `work` takes, in milliseconds."""
    longest, last = 0.0, time.perf_counter()
    task = asyncio.ensure_future(work(body))
    started = last
    while not task.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    assert task.result() == expected
    return longest * 1e3, (last - started) * 1e3


if __name__ == "__main__":
    main()
