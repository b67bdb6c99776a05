"""One line per request, with its id; and nothing that is personal or secret in any line."""

import base64
import hashlib
import json
import logging
import sys

import httpx
import pytest
from pydantic import SecretStr

from configs.secrets import TokenSecrets
from configs.settings import ApiSettings
from deployments.http.problems import status_of
from deployments.ports import Overloaded
from deployments.telemetry.logs import REQUEST_FAILED, DropClientErrors, join_serve_log
from encoders.errors import InvalidImage
from store.errors import PersonNotFound, StoreUnavailable
from tests.deployments.colours import drawing
from tests.deployments.service import Clients, application, client, create_collection, enroll, multipart
from tests.deployments.tokens import token


def access_lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "faceserve.access"]


async def test_a_request_is_one_line_with_its_id(api: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    await api.get("/v1/collections/nowhere", headers={"x-request-id": "asked-1"})

    [line] = access_lines(caplog)
    fields = vars(line)
    assert "asked-1" in line.getMessage()
    assert (fields["operation"], fields["status"], fields["code"]) == ("get_collection", 404, "collection_not_found")
    assert fields["milliseconds"] > 0


async def test_an_id_that_could_forge_a_line_is_not_logged(
    api: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    await api.get("/v1/collections", headers={"x-request-id": 'x", "status": 200'})

    [line] = access_lines(caplog)
    assert "200, request" in line.getMessage()
    assert '", "' not in line.getMessage()


async def test_no_log_has_a_photo_an_embedding_a_token_a_name_or_the_tenant(
    clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bearer = token(tenant=clients.tenant)
    api = clients(bearer=bearer)
    # a hue whose embedding is of no round numbers: times in the log have those, too
    photo = base64.b64encode(drawing(37)).decode()

    await create_collection(api)
    await enroll(api, drawing(37), id="ada", name="Ada Lovelace")
    found = await api.post("/v1/embeddings", json={"image": photo})
    await api.post("/v1/collections/staff/search", **multipart("image", drawing(37)))
    await api.post("/v1/detect", json={"image": photo[:-7]})
    await api.post("/v1/collections/staff/search", json={"embedding": [0.5] * 511})

    ours = [record for record in caplog.records if record.name.split(".")[0] in ("faceserve", "store", "encoders")]
    text = "\n".join(json.dumps(vars(record), default=str) for record in ours)
    assert len(access_lines(caplog)) == 6
    for secret in (bearer, bearer.split(".")[2], "Ada", clients.tenant, photo[:40], photo[-40:]):
        assert secret not in text
    assert str(found.json()["faces"][0]["embedding"][0]) not in text


async def test_a_list_of_customers_does_not_tell_whose_a_line_is(
    clients: Clients, api: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    other = TokenSecrets(secret=SecretStr("another secret of more than 32 bytes"))
    elsewhere = clients(secrets=other, bearer=token("another secret of more than 32 bytes", tenant=clients.tenant))

    for asking in (api, api, elsewhere):
        await asking.get("/v1/collections")

    first, second, third = [vars(line)["tenant"] for line in access_lines(caplog)[-3:]]
    assert first == second
    assert len({first, third, hashlib.sha256(clients.tenant.encode()).hexdigest()[:12]}) == 3


async def test_the_line_can_be_turned_off(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    await clients(settings=ApiSettings(access_log=False)).get("/v1/collections")

    assert access_lines(caplog) == []


def test_what_our_loggers_say_goes_to_serves_log(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[logging.LogRecord] = []
    serve = logging.getLogger("ray.serve")
    monkeypatch.setattr(serve, "handle", heard.append)
    monkeypatch.setattr(serve, "level", logging.INFO)
    before = {name: (logger.handlers, logger.propagate, logger.level) for name, logger in ours().items()}

    try:
        join_serve_log(status_of)
        join_serve_log(status_of)
        logging.getLogger("store.upkeep.indexing").info("built")
        logging.getLogger("faceserve.access").debug("too fine")
    finally:
        for name, logger in ours().items():
            logger.handlers, logger.propagate, logger.level = before[name]
            logger.manager._clear_cache()  # type: ignore[attr-defined]

    assert [record.getMessage() for record in heard] == ["built"]


CLIENT_ERRORS = DropClientErrors(status_of)
SECRET_WORDS = "secret words"  # not in the lines of code that a traceback shows


def failed(error: Exception, name: str = "ray.serve", message: str = REQUEST_FAILED) -> logging.LogRecord:
    """Return the record of a request that ended with `error`, as Serve makes it."""
    cause = RuntimeError(f"Key (external_id)=({SECRET_WORDS})")
    try:
        raise error from cause
    except Exception:
        return logging.getLogger(name).makeRecord(name, logging.ERROR, "", 0, message, (), sys.exc_info())


@pytest.mark.parametrize("error", [PersonNotFound(SECRET_WORDS), InvalidImage(SECRET_WORDS), Overloaded()])
def test_what_a_client_brings_about_is_not_in_serves_log(error: Exception) -> None:
    assert not CLIENT_ERRORS.filter(failed(error))


@pytest.mark.parametrize("name", ["ray.serve", "faceserve.problems"])
def test_a_defect_is_in_the_log_with_its_kind_and_its_place_and_without_its_words(name: str) -> None:
    record = failed(KeyError(SECRET_WORDS), name, REQUEST_FAILED)

    assert CLIENT_ERRORS.filter(record)
    text = logging.Formatter().format(record)
    assert "KeyError" in text
    assert "test_logs.py" in text
    assert SECRET_WORDS not in text


def test_what_else_is_logged_keeps_its_words() -> None:
    away, start = failed(StoreUnavailable()), failed(RuntimeError("no GPU"), message="Exception in the constructor")

    assert CLIENT_ERRORS.filter(away)
    assert CLIENT_ERRORS.filter(start)
    assert "cannot be reached" in logging.Formatter().format(away)
    assert "no GPU" in logging.Formatter().format(start)


def ours() -> dict[str, logging.Logger]:
    return {name: logging.getLogger(name) for name in ("faceserve", "store", "encoders")}


async def test_recent_errors_are_told_with_the_request_id_to_their_own_tenant(clients: Clients) -> None:
    class Away:
        async def describe(self) -> None:
            raise RuntimeError("secret words")

    app = application(Away(), clients.gallery)  # type: ignore[arg-type]
    async with client(app, token(tenant=clients.tenant)) as api:
        await api.get("/v1/models")
        await api.get("/v1/collections/nowhere")

    [failure] = app.state.context.outcomes.failures(clients.tenant)
    [strange] = app.state.context.outcomes.failures("somebody else")
    assert (failure["operation"], failure["code"]) == ("models", "internal_error")
    assert set(failure) == {"time", "operation", "code", "request_id"}
    assert set(strange) == {"time", "operation", "code"}
