"""Who is this? One person's picture after the other, without a pause: a closed workload."""

from _journey import Client
from locust import constant, task


class Searcher(Client):
    """Searches, and searches again as soon as the answer is there."""

    wait_time = constant(0)

    @task
    def look_somebody_up(self) -> None:
        self.search()
