"""Kills a node of two under load and tells what its clients saw: `faceserve bench nodes`."""

import argparse
import json
from pathlib import Path

from tests.benchmarks.machine import description, sentence
from tests.benchmarks.measured import write_block
from tests.benchmarks.nodes.cluster import running_nodes
from tests.benchmarks.nodes.experiment import CLIENTS, NodeDeath, kill_a_node

README = Path(__file__).parent / "README.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=float, default=10.0, help="seconds of load before the node is killed")
    parser.add_argument("--after", type=float, default=30.0, help="seconds of load without it")
    parser.add_argument("--profile", choices=("python", "haproxy"), default="python", help="haproxy needs root")
    parser.add_argument("--write", action="store_true", help="put the table into tests/benchmarks/nodes/README.md")
    arguments = parser.parse_args()

    deaths = []
    for _ in range(arguments.rounds):
        with running_nodes(is_behind_haproxy=arguments.profile == "haproxy") as nodes:
            deaths.append(kill_a_node(nodes, before_s=arguments.before, after_s=arguments.after))
        print(f"| {' | '.join(row(deaths[-1]))} |", flush=True)
    text = table(deaths)
    print(text)
    if arguments.write:
        write_block(README, f"nodes-{arguments.profile}", text)
        README.with_name(f"nodes-{arguments.profile}.json").write_text(
            json.dumps({"machine": description(), "rounds": [figures(death) for death in deaths]}, indent=2) + "\n"
        )


HEADINGS = (
    "answers before / after the kill",
    "failed",
    "last failure s",
    "longest silence s",
    "Serve noticed s",
    "successor in full use s",
    "acknowledged enrolments",
    "lost",
    "half there",
)


def table(deaths: list[NodeDeath]) -> str:
    """Return a markdown table with a row for each death."""
    rows = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    rows += ["| " + " | ".join(row(death)) + " |" for death in deaths]
    return "\n".join(
        [*rows, "", f"{CLIENTS} clients, a third of them enrolling, pack `opencv`. {sentence(description())}"]
    )


def row(death: NodeDeath) -> list[str]:
    """Return the cells of one death."""
    failed = ", ".join(f"{count} {code}" for code, count in death.record.failures().most_common()) or "0"
    before = sum(answer.is_ok for answer in death.record.answers) - death.answers_after
    return [
        f"{before} / {death.answers_after}",
        failed,
        f"{death.last_failure_s:.1f}",
        f"{death.longest_silence_s:.1f}",
        f"{death.noticed_s:.1f}",
        f"{death.restored_s:.1f}",
        str(len(death.record.acknowledged)),
        str(len(death.missing)),
        str(len(death.half_there)),
    ]


def figures(death: NodeDeath) -> dict[str, object]:
    """Return the cells of one death by their heading."""
    return dict(zip(HEADINGS, row(death), strict=True))


if __name__ == "__main__":
    main()
