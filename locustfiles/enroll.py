"""A new person, and another: a closed workload of writes, in a collection that grows while it runs."""

from _journey import Client
from locust import constant, task


class Registrar(Client):
    """Enrols one person after the other."""

    wait_time = constant(0)

    @task
    def take_somebody_in(self) -> None:
        self.enroll()
