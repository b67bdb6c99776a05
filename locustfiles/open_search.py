"""Searches that arrive at a fixed rate, however slow the answers are: an open workload.

`FACESERVE_RATE_PER_USER` times the users is the rate. Few requests of many users rather than many of a few: a user
keeps its rate only while answers take less than its period, 5 seconds by default.
"""

import os
import random

import gevent
from _journey import Client
from locust import constant_throughput, task

RATE_PER_USER = float(os.environ.get("FACESERVE_RATE_PER_USER", "0.2"))  # requests/s


class Arrival(Client):
    """One of many who come by now and then."""

    wait_time = constant_throughput(RATE_PER_USER)

    def on_start(self) -> None:
        gevent.sleep(random.uniform(0, 1 / RATE_PER_USER))  # or users that start together would come together forever
        self.wait_time()  # starts the clock, or everybody's second request would follow the first at once

    @task
    def look_somebody_up(self) -> None:
        self.search()
