"""Asks whether the locked dependencies have known vulnerabilities: `uv run python -m tests.audit`.

A vulnerability that a release has mended fails it; one without a mended release is told. Where the service that knows
them (OSV) cannot be reached it says so and passes: a build must not depend on it.
"""

import enum
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 180

# Vulnerabilities that do not concern this service: id, and why. Looked at again with every release.
IGNORED: Mapping[str, str] = {}


class Verdict(enum.Enum):
    """What an audit came to."""

    CLEAN = "no known vulnerability that a release has mended"
    VULNERABLE = "known vulnerabilities that releases have mended"
    UNKNOWN = "the dependencies were NOT audited"


def audit(ignored: Mapping[str, str], service_url: str | None = None) -> tuple[Verdict, str]:
    """Return the verdict on uv.lock, and what was found, for a person. `service_url`: an OSV API, else OSV's own."""
    command = [os.environ.get("UV", "uv"), "audit", "--frozen", "--output-format=json", "--quiet"]
    command += [f"--ignore={id}" for id in ignored]
    if service_url is not None:
        command.append(f"--service-url={service_url}")
    try:
        environment = os.environ | {"UV_HTTP_RETRIES": "1"}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        found = json.loads(done.stdout)["vulnerabilities"]
    except subprocess.TimeoutExpired:
        return Verdict.UNKNOWN, f"no answer within {TIMEOUT_S} s"
    except (ValueError, KeyError):  # uv says why in words, and nothing else
        return Verdict.UNKNOWN, done.stderr.strip()
    mended = any(each["fix_versions"] for each in found)
    return Verdict.VULNERABLE if mended else Verdict.CLEAN, "\n".join(
        f"{each['dependency']['name']} {each['dependency']['version']}: {each['id']}, {each['summary']} "
        f"(mended in {', '.join(each['fix_versions']) or 'no release yet'})"
        for each in found
    )


def main() -> int:
    verdict, said = audit(IGNORED)
    print(said, verdict.value, sep="\n" if said else "")
    for id, reason in IGNORED.items():
        print(f"ignored: {id}, {reason}")
    return int(verdict is Verdict.VULNERABLE)


if __name__ == "__main__":
    sys.exit(main())
