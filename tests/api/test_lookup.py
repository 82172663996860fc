"""Lookup over HTTP: in any form of a number, page by page, and with clear refusals."""

import httpx
import pytest
from redis.asyncio import Redis

from dispatcher.runtime import Runtime
from dispatcher.service.doctor_readable import unreadable
from dispatcher.store.keys import Keys
from tests.service.samples import URL

pytestmark = pytest.mark.anyio

LIST = "number,reference\n+12025550143,A-1\n+12025550144,A-2\n"


async def uploaded(api: httpx.AsyncClient) -> str:
    batch = str((await api.post("/v1/batches", json={"name": "n", "content_urls": [URL]})).json()["id"])
    answer = await api.post(f"/v1/batches/{batch}/recipients", content=LIST, headers={"Content-Type": "text/csv"})
    assert answer.status_code == 200, answer.text
    return batch


@pytest.mark.parametrize(
    "query",
    [
        {"number": "+12025550143"},
        {"number": "(202) 555-0143"},
        {"number": "1 202 555 0143"},
        {"reference": "A-1"},
        {"number": "+12025550143", "reference": "A-1"},
        {"reference": "A-1", "state": "waiting"},
    ],
)
async def test_jobs_of_all_batches_are_found(api: httpx.AsyncClient, query: dict[str, str]) -> None:
    batches = [await uploaded(api), await uploaded(api)]
    answer = await api.get("/v1/jobs", params=query)
    assert answer.status_code == 200, answer.text
    assert [job["id"] for job in answer.json()["jobs"]] == [f"{batch}.0" for batch in reversed(batches)]
    first = (await api.get("/v1/jobs", params=query | {"limit": "1"})).json()
    second = (await api.get("/v1/jobs", params=query | {"limit": "1", "after": first["next"]})).json()
    assert [page["jobs"][0]["batch"] for page in (first, second)] == batches[::-1]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "number"),
        ({"state": "failed"}, "number"),
        ({"number": "12"}, "number"),
        ({"reference": "r", "state": "lost"}, "state[0]"),
        ({"reference": "r", "since": "yesterday"}, "since"),
        ({"reference": "r", "since": "1999-01-01T00:00:00Z"}, "since"),
        ({"reference": "r", "after": "x"}, "after"),
        ({"reference": "r" * 201}, "reference"),
    ],
)
async def test_what_cannot_be_looked_up_is_named(api: httpx.AsyncClient, query: dict[str, str], field: str) -> None:
    answer = await api.get("/v1/jobs", params=query)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize("damage", [b"abc", b"", b"-5", b"1.5", b"9" * 40, b"inf"])
async def test_a_damaged_index_stops_no_list(
    api: httpx.AsyncClient, runtime: Runtime, redis_url: str, damage: bytes
) -> None:
    """What cannot be looked up says so, and the doctor names it."""
    await uploaded(api)
    async with Redis.from_url(redis_url) as client:
        await client.set(Keys().lookup, damage)
    await uploaded(api)
    answer = await api.get("/v1/jobs", params={"reference": "A-1"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bulkfax:problem:unreadable-data")
    (named,) = await unreadable(runtime.store)
    assert named.startswith("the index of all jobs")
