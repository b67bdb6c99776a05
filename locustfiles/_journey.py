"""A client of the service: sends a picture, knows the right answer, and counts a wrong one as a failure."""

import json
import random
import uuid
from collections.abc import Callable
from typing import Any

import _run
import _thresholds
import gevent
from _service import enrollment, retry_after_s
from locust import FastHttpUser, events

Judge = Callable[[dict[str, Any]], str | None]  # what is wrong with an answer, None if it is right

events.init.add_listener(_run.prepare)
events.test_start.add_listener(_run.begin)
events.test_stop.add_listener(_run.end)
events.quitting.add_listener(_thresholds.decide)


class Client(FastHttpUser):
    """Somebody who uses the service. Locustfiles say which of these operations, and how often."""

    abstract = True
    insecure = False  # a token is sent, so certificates are checked

    def search(self) -> None:
        """Ask who is in a picture of one person."""
        probe = random.choice(self.shared.album.probes)

        def wrong(answer: dict[str, Any]) -> str | None:
            matches = answer["matches"]
            if not matches:
                return "nobody found"
            return None if matches[0]["person"]["id"] == probe.person else "wrong person"

        self._send_picture("search", "search?limit=1", probe.jpeg, wrong)

    def identify(self) -> None:
        """Ask who all the people of a group photo are."""
        probe = random.choice(self.shared.album.groups)

        def wrong(answer: dict[str, Any]) -> str | None:
            named = {face["person"]["id"] for face in answer["faces"] if face["decision"] == "match"}
            if named - probe.persons:
                return "wrong person"
            return None if named == probe.persons else "somebody not recognised"

        self._send_picture("identify", "identify?limit=1", probe.jpeg, wrong)

    def verify(self) -> None:
        """Ask whether a picture shows the person that it shows."""
        probe = random.choice(self.shared.album.probes)
        self._send_picture(
            "verify",
            f"persons/{probe.person}/verify",
            probe.jpeg,
            lambda answer: None if answer["verified"] is True else "not verified",
        )

    def verify_another(self) -> None:
        """Ask whether a picture shows a person that it does not show."""
        probe = random.choice(self.shared.album.probes)
        another = random.choice([person for person in self.shared.album.people if person != probe.person])
        self._send_picture(
            "verify another",
            f"persons/{another}/verify",
            probe.jpeg,
            lambda answer: None if answer["verified"] is False else "another person verified",
        )

    def enroll(self) -> None:
        """Enrol a new person."""
        probe = random.choice(self.shared.album.probes)
        person = f"{probe.person}-{uuid.uuid4().hex[:12]}"
        body, content_type = enrollment(person, probe.jpeg)

        def wrong(answer: dict[str, Any]) -> str | None:
            enrolled = answer["person"]["id"] == person and len(answer["faces"]) == 1
            return None if enrolled else "not enrolled"

        path = f"/v1/collections/{self.shared.intake}/persons"
        self._send("enroll", path, body, {"Content-Type": content_type, "Idempotency-Key": person}, wrong)

    @property
    def shared(self) -> _run.Run:
        """Return what the users of this process share."""
        return self.environment.faceserve  # type: ignore[attr-defined, no-any-return]

    def _send_picture(self, name: str, operation: str, jpeg: bytes, wrong: Judge) -> None:
        path = f"/v1/collections/{self.shared.collection}/{operation}"
        self._send(name, path, jpeg, {"Content-Type": "image/jpeg"}, wrong)

    def _send(self, name: str, path: str, body: bytes, headers: dict[str, str], wrong: Judge) -> None:
        """Send a request and judge its answer; after a refusal, wait as long as the service asks."""
        headers["Authorization"] = f"Bearer {self.shared.token}"
        wait_s = 0.0
        with self.client.post(path, data=body, headers=headers, name=name, catch_response=True) as response:
            if response.status_code == 429:
                # a name of its own: refusals are quick and would flatter the journey's times
                response.request_meta["name"] = name + _thresholds.REFUSED
                response.failure("refused: the service is overloaded")
                wait_s = retry_after_s(response.headers)
            elif response.ok and response.status_code:
                fault = _fault(response.text, wrong)
                if fault:
                    response.failure(fault)
            elif response.status_code:
                response.failure(f"{response.status_code} {_error_code(response.text)}".strip())
            # without a status the connection failed, which locust reports in its own words
        if wait_s:
            gevent.sleep(wait_s)


def _fault(text: str | None, wrong: Judge) -> str | None:
    try:
        return wrong(json.loads(text or ""))
    except (ValueError, LookupError, TypeError):
        return "an answer of another form"


def _error_code(text: str | None) -> str:
    try:
        return str(json.loads(text or "")["error"]["code"])
    except (ValueError, LookupError, TypeError):
        return ""
