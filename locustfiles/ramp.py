"""Load that rises, holds, jumps up and falls again: do answers stay right, and does the service recover?"""

import os
from dataclasses import dataclass

from _journey import Client
from locust import LoadTestShape, between, task


@dataclass(frozen=True, slots=True)
class Plan:
    """How many users there are, and for how long."""

    users: int
    spike_users: int
    ramp_s: float
    hold_s: float
    spike_s: float
    drain_s: float

    def users_at(self, second: float) -> int | None:
        """Return the users at `second` of the run, None when it is over."""
        if second < self.ramp_s:
            return max(1, round(self.users * second / self.ramp_s))
        second -= self.ramp_s
        if second < self.hold_s:
            return self.users
        second -= self.hold_s
        if second < self.spike_s:
            return self.spike_users
        second -= self.spike_s
        if second < self.drain_s:
            return max(1, round(self.users * (1 - second / self.drain_s)))
        return None


class Visitor(Client):
    """Searches, and thinks for a second."""

    wait_time = between(0.5, 1.5)

    @task
    def look_somebody_up(self) -> None:
        self.search()


class RampHoldSpikeDrain(LoadTestShape):
    """The plan of the environment; `-u`, `-r` and `-t` have no effect."""

    def __init__(self) -> None:
        super().__init__()
        self.plan = Plan(
            users=int(os.environ.get("FACESERVE_USERS", "10")),
            spike_users=int(os.environ.get("FACESERVE_SPIKE_USERS", "40")),
            ramp_s=float(os.environ.get("FACESERVE_RAMP_S", "30")),
            hold_s=float(os.environ.get("FACESERVE_HOLD_S", "60")),
            spike_s=float(os.environ.get("FACESERVE_SPIKE_S", "20")),
            drain_s=float(os.environ.get("FACESERVE_DRAIN_S", "30")),
        )

    def tick(self) -> tuple[int, float] | None:
        users = self.plan.users_at(self.get_run_time())
        return None if users is None else (users, float(max(users, self.plan.users)))  # at once: the plan is the ramp
