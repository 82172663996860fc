"""Cancelling single jobs and starting a part over HTTP."""

from typing import Any

import httpx
import pytest

from dispatcher.runtime import Runtime
from tests.service.samples import draft, number, running

pytestmark = pytest.mark.anyio


async def test_jobs_are_counted_first_and_then_cancelled(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await running(runtime.store, 5)
    path, named = f"/v1/batches/{batch}/jobs/cancel", {"numbers": [number(1), number(2)]}
    preview = await api.post(path, json={**named, "preview": True})
    expected = {"batch": batch, "jobs": 2, "in_flight": 0, "next": None}
    assert (preview.status_code, preview.json()) == (200, {**expected, "preview": True})
    done = await api.post(path, json={**named, "reason": "wrong list"})
    assert done.json() == {**expected, "preview": False}
    assert (await api.get(f"/v1/batches/{batch}")).json()["counts"]["cancelled"] == 2
    assert (await api.post(path, json={"jobs": [f"{batch}.0", f"{batch}.1"], "reason": "r"})).json()["jobs"] == 1


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({}, "body", "name which jobs"),
        ({"reason": "r"}, "body", "name which jobs"),
        ({"categories": ["busy"]}, "body", "say in reason why"),
        ({"categories": ["bussy"], "reason": "r"}, "categories[0]", "did you mean busy?"),
        ({"states": ["failed"], "reason": "r"}, "states[0]", "there is no 'failed'"),
        ({"jobs": ["other.0"], "reason": "r"}, "jobs[0]", "this is no job of batch"),
        ({"jobs": ["nonsense"], "reason": "r"}, "jobs[0]", "this is no job of batch"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_cancelled(
    api: httpx.AsyncClient, runtime: Runtime, body: dict[str, Any], field: str, says: str
) -> None:
    batch = await running(runtime.store, 2)
    answer = await api.post(f"/v1/batches/{batch}/jobs/cancel", json=body)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["field"] == field
    assert says in fault["message"]
    assert (await api.get(f"/v1/batches/{batch}")).json()["counts"]["cancelled"] == 0


async def test_a_part_is_started_and_the_rest_continues(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, 50)
    started = await api.post(f"/v1/batches/{batch}/start", json={"percent": 10})
    assert (started.status_code, started.json()["withheld"]) == (200, 45)
    again = await api.post(f"/v1/batches/{batch}/start", json={"first": 1})
    assert (again.status_code, again.json()["type"]) == (409, "urn:bulkfax:problem:not-allowed")
    assert (await api.post(f"/v1/batches/{batch}/continue")).json()["withheld"] == 0


@pytest.mark.parametrize("body", [{"first": 0}, {"percent": 0}, {"percent": 101}, {"first": 1, "percent": 1}])
async def test_a_part_that_is_none_is_refused(api: httpx.AsyncClient, runtime: Runtime, body: dict[str, float]) -> None:
    batch = await draft(runtime.store, 5)
    assert (await api.post(f"/v1/batches/{batch}/start", json=body)).status_code == 422
    assert (await api.get(f"/v1/batches/{batch}")).json()["state"] == "draft"
