"""Attacks a running service over HTTP, or one that it starts, and says what came back.

    uv run faceserve bench attack [--url URL] [--images N] [--examples N] [--seed S] [PYTEST_ARGUMENT ...]

With --url the environment says how tokens are signed: FACESERVE_JWT_SECRET, or as tests/attack/README.md says. The
attack makes tenants of its own, called attack-..., and deletes their collections at the end.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.benchmarks.machine import description, sentence
from tests.benchmarks.measured import write_block

FOLDER = Path(__file__).parents[1] / "attack"
ROOT = FOLDER.parents[1]
README = Path(__file__).parent / "README.md"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the service; without it one is started and stopped")
    parser.add_argument("--images", type=int, default=5000, help="mutated picture files")
    parser.add_argument("--examples", type=int, default=50, help="of schemathesis, for each operation and phase")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--write", action="store_true", help="put the table into tests/benchmarks/README.md")
    options, arguments = parser.parse_known_args()
    environment = os.environ | {
        "FACESERVE_ATTACK_IMAGES": str(options.images),
        "FACESERVE_ATTACK_EXAMPLES": str(options.examples),
        "FACESERVE_ATTACK_SEED": str(options.seed),
        **({} if options.url is None else {"FACESERVE_ATTACK_URL": options.url}),
    }
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [
            *(sys.executable, "-m", "pytest", str(FOLDER), "--timeout=7200", f"--junitxml={report}"),
            *("-o", "junit_family=xunit1"),  # the one that may carry what tests measured
            *arguments,
        ]
        code = subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode
        if not report.exists():
            return code
        table = summary(report)
    print(f"\n{table}")
    if options.write:
        write_block(README, "attack", f"{table}\n\n{sentence(description())}")
    return code


def summary(report: Path) -> str:
    """Return what a run of the tests came to, as a table: one row for each module, then what tests measured."""
    cases: dict[str, list[ET.Element]] = {}
    for case in ET.parse(report).iter("testcase"):
        cases.setdefault(case.get("classname", "").rsplit(".", 1)[-1].removeprefix("test_"), []).append(case)
    rows = [
        f"| {name} | {len(each)} | {sum(map(is_bad, each))} | {sum(map(is_skipped, each))} | {seconds(each):.0f} |"
        for name, each in cases.items()
    ]
    measured = [
        f"- {told.get('name')}: {told.get('value')}"
        for each in cases.values()
        for case in each
        for told in case.iter("property")
    ]
    return "\n".join(
        ["| attack on | attacks | failed | skipped | seconds |", "|---|---|---|---|---|", *rows, "", *measured]
    )


def is_bad(case: ET.Element) -> bool:
    return case.find("failure") is not None or case.find("error") is not None


def is_skipped(case: ET.Element) -> bool:
    return case.find("skipped") is not None


def seconds(cases: list[ET.Element]) -> float:
    return sum(float(case.get("time", 0)) for case in cases)


if __name__ == "__main__":
    sys.exit(main())
