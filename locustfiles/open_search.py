"""Searches that arrive at a rate, however slow the answers are: an open workload.

`FACESERVE_RATE_PER_USER` times the users is the rate; the times between arrivals are random, as those of independent
people are (a Poisson process). Few requests of many users rather than many of a few: an arrival whose user still waits
for an answer comes late, which at answers of 0.1 s and the default period of 5 s happens to one in fifty.

Locust's own `constant_throughput` gives bursts here: it counts from a user's creation, so that users who were created
together come together forever, whatever they wait at first. It also drops arrivals that it was too late for.
"""

import os
import random
import time

import gevent
from _journey import Client
from locust import task

RATE_PER_USER = float(os.environ.get("FACESERVE_RATE_PER_USER", "0.2"))  # requests/s


class Arrival(Client):
    """One of many who come by now and then."""

    def on_start(self) -> None:
        self.due = time.monotonic()
        gevent.sleep(self.wait_time())

    def wait_time(self) -> float:
        """Return the seconds until the next arrival; 0 where it is overdue, so that the rate holds on average."""
        self.due += random.expovariate(RATE_PER_USER)
        return max(0.0, self.due - time.monotonic())

    @task
    def look_somebody_up(self) -> None:
        self.search()
