"""How much longer searches take while one client sends the largest JSON that is parsed: ratios of one run.

The body has an image, so that 4 MB of JSON may stand beside it, and as many values as are allowed.
"""

import argparse
import contextlib
import json
import threading
from pathlib import Path

from deployments import bounds
from tests.benchmarks.results import publish, table
from tests.benchmarks.serving.load import Load, apply_load
from tests.benchmarks.serving.serving import configuration, service


def worst_body() -> bytes:
    """Return a body just within `JSON_VALUES` and `JSON_REST_BYTES`; what is in it is parsed, and then refused."""
    values = bounds.JSON_VALUES - 10
    digits = bounds.JSON_REST_BYTES // values - 2
    return json.dumps({"image": "AAAA", "x": [10**digits - 1] * values}, separators=(",", ":")).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument("--pack", default="opencv")
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each of the three measurements")
    parser.add_argument("--write", action="store_true", help="keep the result in tests/benchmarks/README.md")
    options = parser.parse_args()
    photo = options.photo.read_bytes()
    with service(options.models_dir, configuration(f"{options.pack}:cpu"), photo) as served:
        search = served.headers | {"Content-Type": "image/jpeg"}
        wide = served.headers | {"Content-Type": "application/json"}

        def measure() -> Load:
            return apply_load(served.url, search, [photo], concurrency=1, seconds=options.seconds)

        measure()  # warm
        alone = measure()
        body = worst_body()

        def attack() -> None:
            with contextlib.suppress(ValueError):  # each body is refused, so that there is nothing to summarise
                apply_load(served.url, wide, [body], concurrency=1, seconds=options.seconds + 1)

        attacker = threading.Thread(target=attack)
        attacker.start()
        beside = measure()
        attacker.join()
    ratios = {"p50": beside.p50_ms / alone.p50_ms, "p95": beside.p95_ms / alone.p95_ms}
    rows = [
        ["alone", f"{alone.p50_ms:.1f}", f"{alone.p95_ms:.1f}"],
        [f"beside a body of {len(body) / 2**20:.1f} MB", f"{beside.p50_ms:.1f}", f"{beside.p95_ms:.1f}"],
        ["ratio", f"{ratios['p50']:.2f}", f"{ratios['p95']:.2f}"],
    ]
    markdown = table(["searches", "p50, ms", "p95, ms"], rows)
    print(markdown)
    if options.write:
        command = (
            f"faceserve bench worst_body --photo=PHOTO --pack={options.pack} --seconds={options.seconds:g} --write"
        )
        publish("worst_body", command, {"ratios": ratios}, markdown)


if __name__ == "__main__":
    main()
