"""Reruns over HTTP: what is refused, what a preview says, and several batches in one request."""

from typing import Any

import httpx
import pytest

from dispatcher.core.job import State
from dispatcher.runtime import Runtime
from tests.service.samples import end_jobs, number, running

pytestmark = pytest.mark.anyio
NEW_URL = "https://documents.example.com/new.pdf"


async def ended(runtime: Runtime, **more: object) -> str:
    """A batch with two failed jobs and one that was delivered."""
    batch = await running(runtime.store, 3, **more)
    ends = {0: (State.FAILED, "busy"), 1: (State.DELIVERED, ""), 2: (State.FAILED, "no_answer")}
    await end_jobs(runtime.store, batch, ends)
    return batch


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"categories": ["no_anwser"]}, "categories[0]", "did you mean no_answer?"),
        ({"states": ["faild"]}, "states[0]", "did you mean failed?"),
        ({"error_types": ["CALL_EROR"]}, "error_types[0]", "did you mean CALL_ERROR?"),
        ({"states": ["waiting"]}, "states[0]", "use one of cancelled, delivered"),
        ({"states": ["delivered"]}, "body", "add include_delivered"),
        ({"states": ["failed", "delivered_unconfirmed"]}, "body", "add include_delivered"),
        ({"reason": ""}, "body", "say in reason why"),
        ({"reason": "  "}, "body", "say in reason why"),
        ({"numbers": ["12"]}, "numbers[0]", "this is no fax number"),
        ({"prefixes": ["4930"]}, "prefixes[0]", "in the form +4930"),
        ({"countries": ["Narnia"]}, "countries[0]", "this country is not known"),
        ({"status": ["failed"]}, "status", "there is no such field"),
        ({"overrides": {"sender": "+12025550111"}}, "overrides.sender", "there is no such field"),
        ({"overrides": {"options": {"from": "555"}}}, "overrides.options.from", "in the form +12025550100"),
    ],
)
async def test_what_is_wrong_is_named(
    api: httpx.AsyncClient, runtime: Runtime, body: dict[str, Any], field: str, says: str
) -> None:
    parent = await ended(runtime)
    answer = await api.post(f"/v1/batches/{parent}/rerun", json={"reason": "r", **body})
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["field"] == field
    assert says in fault["message"]
    assert (await api.get(f"/v1/batches/{parent}")).json()["reruns"] == []


async def test_a_wrong_sender_is_put_right(api: httpx.AsyncClient, runtime: Runtime) -> None:
    parent = await ended(runtime)
    overrides = {"options": {"from": "+12025550111"}, "content_urls": [NEW_URL], "priority": "urgent"}
    answer = await api.post(f"/v1/batches/{parent}/rerun", json={"reason": "wrong sender", "overrides": overrides})
    child = answer.json()
    assert answer.status_code == 201
    assert (child["options"], child["content_urls"]) == ({"from": "+12025550111"}, [NEW_URL])
    assert (child["priority"], child["reason"], child["rows"]) == ("urgent", "wrong sender", 2)


async def test_a_preview_creates_nothing(api: httpx.AsyncClient, runtime: Runtime) -> None:
    parent = await ended(runtime)
    answer = await api.post(f"/v1/batches/{parent}/rerun", json={"preview": True, "numbers": [number(0)]})
    preview = answer.json()
    assert (answer.status_code, preview["complete"], preview["jobs"]) == (200, True, 1)
    (new,) = preview["new_batches"]
    assert (new["batches"], new["left_out"]) == ([parent], {"delivered": 1, "not_matching": 1})
    assert (await api.get("/v1/batches")).json()["batches"][0]["id"] == parent


async def test_a_preview_that_takes_long_goes_on(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = await ended(runtime)
    monkeypatch.setattr("dispatcher.service.rerun_preview.BUDGET_S", -1.0)
    answer = await api.post(f"/v1/batches/{parent}/rerun", json={"preview": True})
    assert (answer.status_code, answer.json()["progress"]) == (202, 0.0)
    monkeypatch.undo()
    rest = await api.get(answer.headers["Location"])
    assert (rest.status_code, rest.json()["complete"], rest.json()["jobs"]) == (200, True, 2)
    assert (await api.get("/v1/rerun-previews/nothing")).status_code == 404


async def test_a_damaged_preview_is_shown_as_unreadable(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = await ended(runtime)
    monkeypatch.setattr("dispatcher.service.rerun_preview.BUDGET_S", -1.0)
    preview = (await api.post(f"/v1/batches/{parent}/rerun", json={"preview": True})).json()["id"]
    stored = await runtime.store.previews.get(preview) or ""
    damaged = ["", "null", "[]", "{}", '{"a": 1}', "9" * 5_000, "[" * 3_000, stored[:50]]
    damaged += [stored.replace('"blocks_done": 0', f'"blocks_done": {value}') for value in ("null", '"x"', "[1]")]
    for text in damaged:
        assert text != stored
        await runtime.store.previews.put(preview, text)
        answer = await api.get(f"/v1/rerun-previews/{preview}")
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:bulkfax:problem:unreadable-data"), text
    await runtime.store.previews.put(preview, stored)
    assert (await api.get(f"/v1/rerun-previews/{preview}")).status_code == 202


async def test_several_batches_are_run_again_with_one_request(api: httpx.AsyncClient, runtime: Runtime) -> None:
    parents = [await ended(runtime), await ended(runtime, content_urls=(NEW_URL,))]
    body = {"batches": parents, "reason": "r", "overrides": {"options": {"from": "+12025550111"}}}
    preview = (await api.post("/v1/reruns", json={**body, "preview": True})).json()
    assert (preview["jobs"], len(preview["new_batches"])) == (4, 2)
    answer = await api.post("/v1/reruns", json=body)
    assert answer.status_code == 201
    assert [batch["parents"] for batch in answer.json()["batches"]] == [[parent] for parent in parents]
    again = await api.post("/v1/reruns", json={**body, "overrides": {}})
    assert (again.status_code, again.json()["type"]) == (409, "urn:bulkfax:problem:repeat")
    assert again.json()["batch"] in {batch["id"] for batch in answer.json()["batches"]}
