"""Group photos with many faces and many candidates for each: answered or refused, by a bound of their product."""

import httpx
import pytest

from deployments import bounds
from tests.deployments.colours import drawing
from tests.deployments.service import code_of, message_of, multipart

IDENTIFY = "/v1/collections/staff/identify"


@pytest.fixture(scope="module")
def crowd() -> bytes:
    return drawing(*[hue * 3.6 for hue in range(100)])


async def test_a_hundred_faces_with_a_hundred_candidates_each_are_refused(api: httpx.AsyncClient, crowd: bytes) -> None:
    response = await api.post(IDENTIFY, **multipart("image", crowd, limit=100))

    assert code_of(response) == (400, "too_many_candidates")
    assert response.json()["error"]["details"] == {"faces": 100, "limit": 100, "max_candidates": bounds.CANDIDATES}
    assert "Lower limit or max_faces" in message_of(response)


async def test_what_counts_is_the_faces_that_are_there(api: httpx.AsyncClient, crowd: bytes) -> None:
    few = await api.post(IDENTIFY, **multipart("image", drawing(0, 90), limit=100))
    fewer = await api.post(IDENTIFY, **multipart("image", crowd, limit=100, max_faces=10))
    usual = await api.post(IDENTIFY, **multipart("image", crowd, limit=10))

    assert [answer.status_code for answer in (few, fewer, usual)] == [200, 200, 200]
    assert [len(answer.json()["faces"]) for answer in (few, fewer, usual)] == [2, 10, 100]
