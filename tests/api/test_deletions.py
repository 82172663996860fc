"""Deletion over HTTP, with the client and on the command line: what is refused, and what is there afterwards."""

import httpx
import pytest

from dispatcher.core.batch import Command
from dispatcher.runtime import Runtime
from tests.service.samples import draft, running

pytestmark = pytest.mark.anyio


async def test_an_ended_batch_is_deleted_and_gone(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await running(runtime.store, 2)
    answer = await api.delete(f"/v1/batches/{batch}")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bulkfax:problem:not-allowed")
    assert "cancel it first" in answer.json()["detail"]
    await runtime.store.batches.command(batch, Command.CANCEL)
    for removed in (1, 0):
        answer = await api.delete(f"/v1/batches/{batch}")
        assert (answer.status_code, answer.json()["removed"]) == (200, removed)
        await runtime.store.deletions.remove_rows()
    calls = [
        api.get(f"/v1/batches/{batch}"),
        api.get(f"/v1/batches/{batch}/report"),
        api.get(f"/v1/batches/{batch}/jobs"),
        api.get(f"/v1/jobs/{batch}.0"),
        api.post(f"/v1/batches/{batch}/start"),
        api.post(f"/v1/batches/{batch}/rerun", json={"states": ["cancelled"], "reason": "again"}),
    ]
    for call in calls:
        answer = await call
        assert (answer.status_code, answer.json()["type"]) == (410, "urn:bulkfax:problem:deleted")
    assert (await api.get("/v1/batches")).json()["batches"] == []
    assert (await api.delete("/v1/batches/nothere")).json()["removed"] == 0


async def test_a_rerun_says_that_its_parent_was_deleted(api: httpx.AsyncClient, runtime: Runtime) -> None:
    parent = await running(runtime.store, 2)
    await runtime.store.batches.command(parent, Command.CANCEL)
    order = {"states": ["cancelled"], "start": False, "reason": "again"}
    child = (await api.post(f"/v1/batches/{parent}/rerun", json=order)).json()["id"]
    assert (await api.get(f"/v1/batches/{child}")).json()["deleted"] == []
    await api.delete(f"/v1/batches/{parent}")
    shown = (await api.get(f"/v1/batches/{child}")).json()
    assert (shown["parent"], shown["deleted"]) == (parent, [parent])


async def test_a_key_whose_batch_was_deleted_answers_that(api: httpx.AsyncClient) -> None:
    new = {"name": "March", "content_urls": ["https://documents.example.com/a.pdf"]}
    headers = {"Idempotency-Key": "once"}
    batch = (await api.post("/v1/batches", json=new, headers=headers)).json()["id"]
    await api.post(f"/v1/batches/{batch}/cancel")
    await api.delete(f"/v1/batches/{batch}")
    answer = await api.post("/v1/batches", json=new, headers=headers)
    assert answer.status_code == 410
    assert "use a new key" in answer.json()["detail"]


async def test_a_document_is_deleted_when_nothing_needs_it(api: httpx.AsyncClient, runtime: Runtime) -> None:
    info = await runtime.store.documents.put(b"%PDF-1.7", "letter", 1)
    batch = await draft(runtime.store, 1, documents=(info.sha256,))
    answer = await api.delete(f"/v1/documents/{info.sha256}")
    assert answer.status_code == 409
    assert batch in answer.json()["detail"]
    await runtime.store.batches.command(batch, Command.CANCEL)
    for removed in (1, 0):
        assert (await api.delete(f"/v1/documents/{info.sha256}")).json()["removed"] == removed
    assert (await api.get(f"/v1/documents/{info.sha256}")).status_code == 404
