"""Everything at once, as people would use it: mostly reads, some writes, a pause of a second between them."""

from _journey import Client
from locust import between, task


class Visitor(Client):
    """Uses the whole service and thinks in between."""

    wait_time = between(0.5, 1.5)

    @task(10)
    def look_somebody_up(self) -> None:
        self.search()

    @task(4)
    def let_somebody_in(self) -> None:
        self.verify()

    @task(1)
    def turn_somebody_away(self) -> None:
        self.verify_another()

    @task(2)
    def name_everybody(self) -> None:
        self.identify()

    @task(1)
    def take_somebody_in(self) -> None:
        self.enroll()
