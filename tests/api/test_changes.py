"""Changes of batches over HTTP: what is left out stays, null brings back the default, what is wrong is named."""

from typing import Any

import httpx
import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import State
from dispatcher.core.options import FaxOptions
from dispatcher.runtime import Runtime
from tests.service.samples import URL, draft, end_jobs, running

pytestmark = pytest.mark.anyio

OTHER_URL = "https://documents.example.com/new.pdf"
OPTIONS = FaxOptions(sender="+12025550100", header_text="Hello", cover_page_id="c", cover_page_data={"a": "b"})


async def patched(api: httpx.AsyncClient, batch: str, **body: Any) -> dict[str, Any]:
    answer = await api.patch(f"/v1/batches/{batch}", json=body)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def test_what_is_left_out_stays_and_null_is_the_default(api: httpx.AsyncClient, runtime: Runtime) -> None:
    more = {"max_per_second": 2.0, "on_partial": "stop", "deadline_ms": 4_000_000_000_000}
    batch = await draft(runtime.store, 1, options=OPTIONS, weight=5, **more)
    changed = await patched(api, batch, name="April", options={"from": None, "resolution": "FINE"}, weight=None)
    assert changed["changed"] == ["name", "options.resolution", "options.from", "weight"]
    assert changed["options"] == {
        "header_text": "Hello",
        "resolution": "FINE",
        "cover_page_id": "c",
        "cover_page_data": {"a": "b"},
    }
    assert (changed["name"], changed["weight"], changed["max_per_second"], changed["version"]) == ("April", 1, 2.0, 2)
    nothing: dict[str, Any] = dict.fromkeys(("options", "max_per_second", "on_partial", "deadline", "priority"))
    changed = await patched(api, batch, **nothing)
    assert changed["changed"] == [
        *("deadline", "max_per_second", "on_partial"),
        *("options.cover_page_data", "options.cover_page_id", "options.header_text", "options.resolution"),
    ]
    assert (changed["options"], changed["deadline"], changed["on_partial"]) == ({}, None, None)
    assert changed == {**(await api.get(f"/v1/batches/{batch}")).json(), **{name: changed[name] for name in ADDED}}


#: what the answer has in addition to the batch
ADDED = ("changed", "ended_holds", "in_flight", "not_checked", "dry_run")


async def test_content_is_replaced_as_a_whole_and_only_what_is_named(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, 1)
    changed = await patched(api, batch, content_urls=[OTHER_URL])
    assert (changed["content_urls"], changed["not_checked"], changed["documents"]) == ([OTHER_URL], [OTHER_URL], [])
    answer = await api.patch(f"/v1/batches/{batch}", json={"content_urls": None})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "documents"


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({}, "body", "name what to change"),
        ({"version": 1, "dry_run": True}, "body", "name what to change"),
        ({"name": None}, "body", "a batch needs a name"),
        ({"sender": "+12025550100"}, "sender", "there is no such field"),
        ({"options": {"sender": "+12025550100"}}, "options.sender", "there is no such field"),
        ({"options": {"from": "555"}}, "options.from", "in the form +12025550100"),
        ({"options": {"header_time_zone": "Mars/Olympus"}}, "options.header_time_zone", "time zone"),
        ({"options": {"cover_page_data": {"a": "b"}}}, "options.cover_page_data", "name it in cover_page_id"),
        ({"weight": 0}, "weight", "greater than or equal to 1"),
        ({"max_per_second": "5"}, "max_per_second", "give a number"),
        ({"default_country": "GB"}, "default_country", "there is no such field"),
        ({"documents": ["0" * 64]}, "documents[0]", "upload it first"),
        ({"deadline": "2020-01-01T00:00:00Z"}, "deadline", "in the future"),
    ],
)
async def test_what_is_wrong_is_named(
    api: httpx.AsyncClient, runtime: Runtime, body: dict[str, Any], field: str, says: str
) -> None:
    batch = await draft(runtime.store, 1)
    before = (await api.get(f"/v1/batches/{batch}")).json()
    answer = await api.patch(f"/v1/batches/{batch}", json=body)
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["errors"]
    assert fault["field"] == field
    assert says in fault["message"]
    assert (await api.get(f"/v1/batches/{batch}")).json() == before


async def test_a_running_batch_is_paused_changed_and_resumed(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await running(runtime.store, 2)
    refused = await api.patch(f"/v1/batches/{batch}", json={"options": {"from": "+12025550101"}})
    assert refused.status_code == 409
    assert "pause it first" in refused.json()["detail"]
    await api.post(f"/v1/batches/{batch}/pause")
    assert (await patched(api, batch, metadata={"team": "north"}))["changed"] == ["metadata"]
    listed = (await api.get("/v1/batches", params={"metadata": "team=north"})).json()["batches"]
    assert [item["id"] for item in listed] == [batch]
    assert (await patched(api, batch, metadata=None))["metadata"] == {}
    changed = await patched(api, batch, options={"from": "+12025550101"}, priority="urgent")
    assert (changed["state"], changed["version"], changed["priority"]) == ("paused", 2, "urgent")
    stale = await api.patch(f"/v1/batches/{batch}", json={"weight": 2, "version": 1})
    assert stale.status_code == 409
    assert (await api.post(f"/v1/batches/{batch}/resume")).json()["options"] == {"from": "+12025550101"}


async def test_a_change_that_ends_a_hold_says_so(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await running(runtime.store, 2)
    await runtime.store.holds.open(f"batch:{batch}", "config", "The sender may not be used.")
    tried = await patched(api, batch, options={"from": "+12025550101"}, dry_run=True)
    assert (tried["state"], tried["dry_run"], tried["options"], tried["version"]) == ("held", True, {}, 1)
    changed = await patched(api, batch, options={"from": "+12025550101"})
    assert [hold["scope"] for hold in changed["ended_holds"]] == [f"batch:{batch}"]
    assert tried["ended_holds"] == changed["ended_holds"]
    assert (changed["state"], changed["holds"]) == ("running", [])


async def test_a_job_names_the_version_of_its_attempts(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, 2)
    await patched(api, batch, options={"from": "+12025550101"})
    await runtime.store.batches.command(batch, Command.START)
    assert (await api.get(f"/v1/jobs/{batch}.0")).json()["version"] is None
    await end_jobs(runtime.store, batch, {0: (State.FAILED, "busy")}, why="busy")
    story = (await api.get(f"/v1/jobs/{batch}.0")).json()
    assert (story["version"], [entry["version"] for entry in story["history"]]) == (2, [2])


async def test_an_ended_and_an_unknown_batch(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await running(runtime.store, 1)
    await api.post(f"/v1/batches/{batch}/cancel")
    assert (await api.patch(f"/v1/batches/{batch}", json={"weight": 2})).status_code == 409
    assert (await api.patch("/v1/batches/nothing", json={"weight": 2})).status_code == 404
    assert URL not in (await api.patch("/v1/batches/nothing", json={"weight": 2})).text
