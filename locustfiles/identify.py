"""Who are all these? One group photo after the other, without a pause: a closed workload."""

from _journey import Client
from locust import constant, task


class Identifier(Client):
    """Has a group photo identified, and another as soon as the answer is there."""

    wait_time = constant(0)

    @task
    def name_everybody(self) -> None:
        self.identify()
