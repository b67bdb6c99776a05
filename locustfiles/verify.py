"""Is it really this person? Mostly it is, sometimes it is not: a closed workload."""

from _journey import Client
from locust import constant, task


class Verifier(Client):
    """Stands at a door that four of five people may pass."""

    wait_time = constant(0)

    @task(4)
    def let_somebody_in(self) -> None:
        self.verify()

    @task(1)
    def turn_somebody_away(self) -> None:
        self.verify_another()
