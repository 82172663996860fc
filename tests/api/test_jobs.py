"""Jobs over HTTP: filtered, paged, and one with its story."""

import httpx
import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import State
from dispatcher.runtime import Runtime
from dispatcher.service import jobs
from tests.service.samples import draft, end_jobs, number, running

pytestmark = pytest.mark.anyio

ENDS = {0: (State.DELIVERED, ""), 1: (State.FAILED, "busy"), 3: (State.FAILED, "no_answer")}


async def rows(api: httpx.AsyncClient, batch: str, query: str) -> list[int]:
    answer = await api.get(f"/v1/batches/{batch}/jobs?{query}")
    assert answer.status_code == 200, answer.text
    return [job["row"] for job in answer.json()["jobs"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("state=failed", [1, 3]),
        ("state=failed&state=delivered", [0, 1, 3]),
        ("state=failed&category=busy", [1]),
        ("category=busy&category=no_answer", [1, 3]),
        ("reference=r2", [2]),
        (f"number={number(4)}", [4]),
        (f"number={number(4).replace('+', '%2B')}", [4]),
        (f"number={number(4)[1:]}", [4]),
        (f"number={number(4)[2:]}", [4]),
        (f"number=({number(4)[2:5]}) {number(4)[5:8]}-{number(4)[8:]}", [4]),
        (f"number=Fax: 001 {number(4)[2:]}", [4]),
        ("state=delivered&reference=r1", []),
        ("after=2", [3, 4]),
        ("after=1&limit=1", [2]),
    ],
)
async def test_filters_and_pages_choose_the_jobs(
    api: httpx.AsyncClient, runtime: Runtime, query: str, expected: list[int]
) -> None:
    batch = await running(runtime.store, 5)
    await end_jobs(runtime.store, batch, ENDS)
    assert await rows(api, batch, query) == expected


async def test_a_filter_that_does_not_exist_is_named(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, 1)
    answer = await api.get(f"/v1/batches/{batch}/jobs?state=lost")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "state[0]")


@pytest.mark.parametrize("number", ["x", "0", "%2B", "12", "030 23125123", "=1+1", "1" * 100])
async def test_a_text_that_is_no_number_is_refused(api: httpx.AsyncClient, runtime: Runtime, number: str) -> None:
    batch = await draft(runtime.store, 1, default_country="US")
    answer = await api.get(f"/v1/batches/{batch}/jobs?number={number}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "number")


async def test_pages_reach_every_job_of_a_large_batch_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, 2_500)
    seen: list[int] = []
    after: str | None = ""
    while after is not None:
        page = (await api.get(f"/v1/batches/{batch}/jobs", params={"after": after, "limit": 400})).json()
        seen += [job["row"] for job in page["jobs"]]
        after = page["next"]
    assert seen == list(range(2_500))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=failed", [3, 2_400]),
        ("state=failed&category=no_answer", [2_400]),
        ("state=failed&category=no_answer&after=2399", [2_400]),
        ("state=failed&category=no_answer&after=2400", []),
        ("category=busy", [3]),
        ("category=incompatible", []),
    ],
)
async def test_a_rare_job_is_found_on_the_first_page_of_a_large_batch(
    api: httpx.AsyncClient, runtime: Runtime, query: str, expected: list[int]
) -> None:
    """Blocks without such jobs are passed over, not unpacked."""
    batch = await running(runtime.store, 2_500)
    await end_jobs(runtime.store, batch, {3: (State.FAILED, "busy"), 2_400: (State.FAILED, "no_answer")})
    assert await rows(api, batch, query) == expected


async def test_rows_of_an_ended_batch_that_never_started_are_found_in_their_state(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    batch = await running(runtime.store, 1_500)
    await runtime.store.batches.command(batch, Command.CANCEL)
    assert await rows(api, batch, "state=cancelled&after=1200&limit=1000") == list(range(1_201, 1_500))
    assert await rows(api, batch, "state=waiting") == []


async def test_one_request_unpacks_a_bounded_number_of_blocks(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is empty and says where to go on."""
    monkeypatch.setattr(jobs, "SCAN_BLOCKS", 2)
    batch = await draft(runtime.store, 2_500)
    page = (await api.get(f"/v1/batches/{batch}/jobs", params={"number": number(2_100)})).json()
    assert (page["jobs"], page["next"]) == ([], "1999")
    assert await rows(api, batch, f"number={number(2_100)}&after=1999") == [2_100]


async def test_a_job_tells_its_history_and_why_it_ended(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await running(runtime.store, 2)
    await end_jobs(runtime.store, batch, {1: (State.FAILED, "busy")}, why="It was busy twelve times.")
    job = (await api.get(f"/v1/jobs/{batch}.1")).json()
    assert (job["state"], job["category"], job["reference"]) == ("failed", "busy", "r1")
    assert [(entry["attempt"], entry["why"]) for entry in job["history"]] == [(1, "It was busy twelve times.")]
    assert job["explanation"] == "Failed permanently: busy. It was busy twelve times."


async def test_a_job_says_what_it_waits_for(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, 1)
    assert "draft" in (await api.get(f"/v1/jobs/{batch}.0")).json()["explanation"]
    await runtime.store.batches.command(batch, Command.START)
    assert "permit" in (await api.get(f"/v1/jobs/{batch}.0")).json()["explanation"]
    await runtime.store.batches.command(batch, Command.PAUSE)
    assert "paused" in (await api.get(f"/v1/jobs/{batch}.0")).json()["explanation"]


@pytest.mark.parametrize(
    "job", ["nothere.0", "nothere", "x:counts.1", "{batch}.7", "{batch}.99999999999", "{batch}.-1"]
)
async def test_an_unknown_job_is_missing(api: httpx.AsyncClient, runtime: Runtime, job: str) -> None:
    batch = await draft(runtime.store, 1)
    assert (await api.get(f"/v1/jobs/{job.format(batch=batch)}")).status_code == 404
