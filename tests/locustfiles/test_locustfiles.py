"""The load tests themselves: short runs of locust against a stand-in for the service."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.locustfiles.stand_in import COLOURS, TOKEN, Behaviour, StandIn, picture, stand_in

FOLDER = Path(__file__).parents[2] / "locustfiles"
CLOSED_AND_OPEN = ("search", "identify", "verify", "enroll", "mixed", "open_search")
JOURNEYS = ("search", "identify", "verify", "verify another", "enroll")
ENOUGH = 5  # answers of each journey; more than can be under way when a run is stopped
DEADLINE_S = 60
POLL_S = 0.02
STATISTICS = re.compile(r"^POST +(.+?) {2,}(\d+) +(\d+)\(", re.MULTILINE)  # name, requests, failures

# Locust patches the process it is imported into, so this is done in one of its own.
LOAD = """
import json, sys
from pathlib import Path
from locust.util.load_locustfile import load_locustfile

found = {}
for path in sorted(Path(sys.argv[1]).glob("[!_]*.py")):
    users, shapes, *_ = load_locustfile(str(path))
    found[path.stem] = {"users": sorted(users), "shapes": [type(shape).__name__ for shape in shapes]}
    for shape in shapes:
        found[path.stem]["plan"] = [shape.plan.users_at(second) for second in (0, 15, 30, 89, 90, 110, 125, 140)]
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Scenario:
    """A run of locust and how the stand-in behaves meanwhile. It ends by itself, or as soon as `until` is true."""

    files: tuple[str, ...]
    behaviour: Behaviour = field(default_factory=Behaviour)
    options: tuple[str, ...] = ("-u", "6", "-r", "6")
    environment: Mapping[str, str] = field(default_factory=dict)
    until: Callable[[StandIn], bool] | None = None


@dataclass(frozen=True)
class Played:
    """How a run ended. `requests` and `failures` by the name in the statistics."""

    exit_code: int
    output: str
    service: StandIn

    @property
    def requests(self) -> dict[str, int]:
        return {name: int(requests) for name, requests, _ in self._statistics()}

    @property
    def failures(self) -> dict[str, int]:
        return {name: int(failures) for name, _, failures in self._statistics()}

    def _statistics(self) -> list[tuple[str, str, str]]:
        return STATISTICS.findall(self.output)


def every_journey_was_made(service: StandIn) -> bool:
    return all(service.answered[name] >= ENOUGH for name in JOURNEYS)


def some_searches_were_made(service: StandIn) -> bool:
    return service.answered["search"] >= ENOUGH


SCENARIOS = {
    "distributed": Scenario(("search",), options=("-u", "4", "-r", "4", "-t", "2s", "--processes", "2")),
    "ramp": Scenario(
        ("ramp",),
        options=(),
        environment={
            "FACESERVE_USERS": "2",
            "FACESERVE_SPIKE_USERS": "4",
            "FACESERVE_RAMP_S": "0.5",
            "FACESERVE_HOLD_S": "1",
            "FACESERVE_SPIKE_S": "1",
            "FACESERVE_DRAIN_S": "0.5",
        },
    ),
    "right": Scenario(
        CLOSED_AND_OPEN,
        environment={
            "FACESERVE_MAX_P95_MS": "20000",
            "FACESERVE_MAX_FAILURE_RATIO": "0",
            "FACESERVE_RATE_PER_USER": "20",
        },
        until=every_journey_was_made,
    ),
    "wrong": Scenario(
        CLOSED_AND_OPEN,
        Behaviour(lies=True),
        environment={"FACESERVE_RATE_PER_USER": "20"},
        until=every_journey_was_made,
    ),
    "forgiven": Scenario(
        ("search",),
        Behaviour(lies=True),
        environment={"FACESERVE_MAX_FAILURE_RATIO": "1"},
        until=some_searches_were_made,
    ),
    "slow": Scenario(
        ("search",),
        Behaviour(delay_s=0.03),
        environment={"FACESERVE_MAX_P95_MS": "20"},
        until=some_searches_were_made,
    ),
    "refused": Scenario(("search",), Behaviour(refuses_searches=1), options=("-u", "1"), until=some_searches_were_made),
    "nobody enrolled": Scenario(("search",), Behaviour(enrolls=False), options=("-t", "60s")),
    "no token": Scenario(("search",), options=("-t", "60s"), environment={"FACESERVE_TOKEN": ""}),
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sub-folder for each person."""
    folder = tmp_path_factory.mktemp("photos")
    for person in COLOURS:
        (folder / person).mkdir()
        for number in (1, 2):
            picture(person).save(folder / person / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def runs(photos: Path) -> Iterator[dict[str, Future[Played]]]:
    """Every scenario, two at a time: starting locust takes longer than most of them."""
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(play, scenario, photos) for name, scenario in SCENARIOS.items()}


def play(scenario: Scenario, photos: Path) -> Played:
    """Run locust, end it as a person would, with Ctrl-C, where the scenario does not end by itself."""
    files = ",".join(str(FOLDER / f"{name}.py") for name in scenario.files)
    command = [sys.executable, "-m", "locust", "-f", files, "--headless", "--only-summary", *scenario.options]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("FACESERVE_", "LOCUST_"))}
    with stand_in(scenario.behaviour) as service:
        environment = inherited | {
            "FACESERVE_URL": service.url,
            "FACESERVE_TOKEN": TOKEN,
            "FACESERVE_PHOTOS": str(photos),
            "FACESERVE_PHOTO_PX": "48",
            **scenario.environment,
        }
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=photos
        )
        try:
            if scenario.until is not None:
                deadline = time.monotonic() + DEADLINE_S
                while not scenario.until(service) and process.poll() is None and time.monotonic() < deadline:
                    time.sleep(POLL_S)
                process.terminate()
            output, _ = process.communicate(timeout=DEADLINE_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        return Played(process.returncode, output, service)


def test_every_locustfile_loads_and_defines_its_users(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(FOLDER)], capture_output=True, text=True, check=True, cwd=tmp_path
    )

    found = json.loads(done.stdout)
    assert set(found) == {*CLOSED_AND_OPEN, "ramp"}
    assert all(len(locustfile["users"]) == 1 for locustfile in found.values())
    assert {name: locustfile["shapes"] for name, locustfile in found.items() if locustfile["shapes"]} == {
        "ramp": ["RampHoldSpikeDrain"]
    }
    assert found["ramp"]["plan"] == [1, 5, 10, 10, 40, 10, 5, None]


def test_right_answers_end_with_0(runs: dict[str, Future[Played]]) -> None:
    played = runs["right"].result()

    assert played.exit_code == 0, played.output
    assert set(played.requests) == set(JOURNEYS)
    assert not any(played.failures.values())


def test_requests_differ_from_one_another(runs: dict[str, Future[Played]]) -> None:
    played = runs["right"].result()

    assert len(played.service.bodies) > 1


def test_a_run_has_collections_of_its_own_and_deletes_them(runs: dict[str, Future[Played]]) -> None:
    first, second = runs["right"].result().service, runs["slow"].result().service

    assert len(first.created) == 2
    assert first.deleted == first.created
    assert not set(first.created) & set(second.created)


def test_wrong_answers_are_failures_of_every_journey(runs: dict[str, Future[Played]]) -> None:
    played = runs["wrong"].result()

    assert played.exit_code == 1, played.output
    assert played.failures == played.requests
    for name, reason in {
        "search": "wrong person",
        "identify": "somebody not recognised",
        "verify": "not verified",
        "verify another": "another person verified",
        "enroll": "not enrolled",
    }.items():
        assert f"POST {name}: {reason}" in played.output


def test_failures_within_the_allowed_ratio_end_with_0(runs: dict[str, Future[Played]]) -> None:
    played = runs["forgiven"].result()

    assert played.exit_code == 0, played.output
    assert played.failures["search"] > 0


def test_answers_over_the_allowed_time_end_with_1(runs: dict[str, Future[Played]]) -> None:
    played = runs["slow"].result()

    assert played.exit_code == 1, played.output
    assert not any(played.failures.values())
    assert re.search(r"p95 of search is \d+ ms, allowed are 20 ms", played.output)


def test_a_refusal_has_its_own_name_and_is_waited_for(runs: dict[str, Future[Played]]) -> None:
    played = runs["refused"].result()

    assert played.exit_code == 1, played.output
    assert played.requests["search (429)"] == 1
    assert played.failures["search"] == 0
    assert played.service.searched_at[1] - played.service.searched_at[0] >= 1  # second, as the refusal asked


def test_a_ramp_ends_by_itself(runs: dict[str, Future[Played]]) -> None:
    played = runs["ramp"].result()

    assert played.exit_code == 0, played.output
    assert played.requests["search"] > 0
    assert "to 4 users" in played.output


def test_workers_share_the_master_s_collection_until_they_have_stopped(runs: dict[str, Future[Played]]) -> None:
    played = runs["distributed"].result()

    assert played.exit_code == 0, played.output
    assert played.service.deleted == played.service.created
    assert len(played.service.created) == 2
    assert played.service.strays == []
    assert played.requests["search"] > 0


def test_every_answer_that_workers_got_is_counted(runs: dict[str, Future[Played]]) -> None:
    played = runs["distributed"].result()

    under_way = 4  # users, each with a request that the end may cut off
    assert played.requests["search"] >= played.service.answered["search"] - under_way


def test_a_run_that_cannot_be_set_up_ends_with_1_and_leaves_nothing(runs: dict[str, Future[Played]]) -> None:
    played = runs["nobody enrolled"].result()

    assert played.exit_code == 1, played.output
    assert "answered 422" in played.output
    assert played.service.deleted == played.service.created
    assert not played.requests


def test_a_run_without_a_token_says_so(runs: dict[str, Future[Played]]) -> None:
    played = runs["no token"].result()

    assert played.exit_code == 1
    assert "Expected a token in FACESERVE_TOKEN" in played.output


def test_every_variable_is_in_the_manual() -> None:
    lines = (FOLDER.parent / "docs" / "load-tests.md").read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| `FACESERVE_")]

    for path in FOLDER.glob("*.py"):
        for name in re.findall(r'"(FACESERVE_[A-Z0-9_]+)"', path.read_text(encoding="utf-8")):
            assert any(f"`{name}`" in line for line in table), f"{name} of {path.name}"


def test_every_locustfile_is_in_the_readme() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")

    for path in FOLDER.glob("[!_]*.py"):
        assert f"| `{path.name}` |" in text, path.name
