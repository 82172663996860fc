"""The list of batches over HTTP: filters, metadata, and what it shows of damaged batches."""

from typing import Any
from unittest.mock import patch

import httpx
import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import State
from dispatcher.runtime import Runtime
from dispatcher.service import views
from tests.service.samples import URL, draft, end_jobs, running

pytestmark = pytest.mark.anyio


async def created(api: httpx.AsyncClient, name: str, **metadata: str) -> str:
    answer = await api.post("/v1/batches", json={"name": name, "content_urls": [URL], "metadata": metadata})
    assert answer.status_code == 201, answer.text
    assert answer.json()["metadata"] == metadata
    return str(answer.json()["id"])


async def listed(api: httpx.AsyncClient, **query: Any) -> list[str]:
    """All ids that match, over all pages."""
    ids, after = list[str](), ""
    while True:
        answer = await api.get("/v1/batches", params={**query, "after": after})
        assert answer.status_code == 200, answer.text
        ids += [batch["id"] for batch in answer.json()["batches"]]
        if not answer.json()["next"]:
            return ids
        after = answer.json()["next"]


async def test_batches_are_found_by_name_and_metadata(api: httpx.AsyncClient) -> None:
    first = await created(api, "Letter of March", customer="42", team="billing")
    second = await created(api, "letter of April", customer="42", note="a=b")
    third = await created(api, "Newsletter", customer="7")
    assert await listed(api) == [third, second, first]
    assert await listed(api, name="LETTER OF") == [second, first]
    assert await listed(api, metadata="customer=42") == [second, first]
    assert await listed(api, metadata=["customer=42", "team=billing"]) == [first]
    assert await listed(api, metadata="note=a=b") == [second]
    assert await listed(api, metadata=["customer=42", "customer=7"]) == []
    assert await listed(api, name="letter", metadata="customer=7", limit=1) == [third]


async def test_batches_are_found_by_state(api: httpx.AsyncClient, runtime: Runtime) -> None:
    store = runtime.store
    ended = await running(store, 2)
    await end_jobs(store, ended, {0: (State.DELIVERED, ""), 1: (State.FAILED, "busy")})
    waiting, held, paused = [await running(store, 2) for _ in range(3)]
    open_draft = await draft(store, 1)
    await store.holds.open(f"batch:{held}", "reject", "look at it")
    await store.batches.command(paused, Command.PAUSE)
    for state, batch in (
        ("running", waiting), ("held", held), ("paused", paused), ("finished", ended), ("draft", open_draft),
    ):  # fmt: skip
        assert await listed(api, state=state) == [batch]
    assert {*await listed(api, state=["held", "finished"])} == {ended, held}
    answer = await api.get("/v1/batches", params={"state": "runing"})
    assert answer.status_code == 422
    assert "running" in answer.text


async def test_batches_are_found_by_the_time_of_their_creation(api: httpx.AsyncClient, runtime: Runtime) -> None:
    names = [await created(api, f"n{index}") for index in range(4)]
    for hour, name in enumerate(names):
        await runtime.store._client.zadd(runtime.store._keys.batches, {name: 1_772_532_000_000 + hour * 3_600_000})
    assert await listed(api, since="2026-03-03T11:00:00Z") == names[:0:-1]
    assert await listed(api, until="2026-03-03T12:00:00Z", limit=1) == [names[1], names[0]]
    assert await listed(api, since="2026-03-03T11:00:00Z", until="2026-03-03T12:00:00Z") == [names[1]]
    assert await listed(api, until="2026-03-01T00:00:00Z") == []


async def test_a_request_looks_at_some_batches_and_says_where_to_go_on(api: httpx.AsyncClient) -> None:
    sought = await created(api, "sought")
    for index in range(9):
        await created(api, f"other {index}")
    with patch.object(views, "LOOKED_AT", 4), patch.object(views, "_STEP", 2):
        page = (await api.get("/v1/batches", params={"name": "sought"})).json()
        assert (page["batches"], bool(page["next"])) == ([], True)
        assert await listed(api, name="sought") == [sought]


async def test_a_batch_that_cannot_be_read_is_shown_whatever_is_wanted(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    damaged, other = await created(api, "a"), await created(api, "b")
    await runtime.store._client.hset(runtime.store._keys.batch(damaged), "metadata", "[")
    await runtime.store._client.hset(runtime.store._keys.batch(damaged), "definition", "{")
    assert await listed(api, state="running") == [damaged]
    assert await listed(api, name="b") == [other, damaged]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({f"k{index}": "v" for index in range(21)}, "20"),
        ({"k" * 41: "v"}, "1 to 40 characters"),
        ({"": "v"}, "1 to 40 characters"),
        ({"a=b": "v"}, "no equals sign"),
        ({"k": "v" * 501}, "500"),
        ({"k": 1}, "string"),
        ({"k": None}, "string"),
    ],
)
async def test_metadata_is_bounded(api: httpx.AsyncClient, metadata: dict[str, Any], message: str) -> None:
    answer = await api.post("/v1/batches", json={"name": "a", "content_urls": [URL], "metadata": metadata})
    assert answer.status_code == 422
    assert message in answer.text


async def test_a_rerun_takes_its_metadata_over_or_has_its_own(api: httpx.AsyncClient, runtime: Runtime) -> None:
    parent = await running(runtime.store, 2, metadata={"customer": "42"})
    await end_jobs(runtime.store, parent, {0: (State.FAILED, "busy"), 1: (State.FAILED, "busy")})
    body: dict[str, Any] = {"reason": "wrong sender", "start": False}
    first = await api.post(f"/v1/batches/{parent}/rerun", json=body)
    assert first.json()["metadata"] == {"customer": "42"}
    second = await api.post(f"/v1/batches/{parent}/rerun", json=body | {"overrides": {"metadata": {"try": "2"}}})
    assert second.json()["metadata"] == {"try": "2"}
    third = await api.post(f"/v1/batches/{parent}/rerun", json=body | {"overrides": {"metadata": {}}})
    assert third.json()["metadata"] == {}


async def test_a_fax_shows_the_metadata_of_its_request(api: httpx.AsyncClient) -> None:
    new = {"to": "+12025550101", "content_urls": [URL], "metadata": {"order": "7"}}
    fax = (await api.post("/v1/faxes", json=new)).json()
    assert (await api.get(f"/v1/faxes/{fax['id']}")).json()["metadata"] == {"order": "7"}
    assert await listed(api, metadata="order=7") == [fax["batch"]]
