"""Drafts over HTTP: how many may be open, what says so, and how an end is shown."""

import httpx
import pytest

from dispatcher.core.batch import Control
from dispatcher.core.policy.policy import Policy
from dispatcher.runtime import Runtime
from tests.service.samples import URL, draft

pytestmark = pytest.mark.anyio

NEW = {"name": "March", "content_urls": [URL]}


async def test_one_draft_too_many_is_a_problem_that_says_what_to_do(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime.mailings, "_max_drafts", 2)
    answers = [await api.post("/v1/batches", json=NEW) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 409]
    problem = answers[-1].json()
    assert problem["type"] == "urn:bulkfax:problem:too-many-drafts"
    assert "start or cancel some" in problem["detail"]
    assert len((await api.get("/v1/batches")).json()["batches"]) == 2
    fax = {"to": "+12025550101", "content_urls": [URL]}
    assert (await api.post("/v1/faxes", json=fax)).status_code == 202
    await api.post(f"/v1/batches/{answers[0].json()['id']}/cancel")
    assert (await api.post("/v1/batches", json=NEW)).status_code == 201


async def test_the_account_shows_how_many_drafts_are_open_and_may_be(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await draft(runtime.store)
    account = (await api.get("/v1/account")).json()
    assert (account["open_drafts"], account["max_open_drafts"]) == (1, Policy().open_drafts)
    assert b"\nbulkfax_open_drafts 1.0\n" in (await api.get("/metrics/installation")).content


async def test_a_draft_that_expired_says_why_and_takes_nothing_more(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, 2)
    assert (await api.get(f"/v1/batches/{batch}")).json()["expired_because"] is None
    await runtime.store.batches.end_draft(batch, Control.EXPIRED)
    shown = (await api.get(f"/v1/batches/{batch}")).json()
    assert (shown["state"], shown["expired_because"], shown["counts"]["expired"]) == ("expired", "not_started", 2)
    (listed,) = (await api.get("/v1/batches")).json()["batches"]
    assert listed["expired_because"] == "not_started"
    assert "Nobody started" in (await api.get(f"/v1/jobs/{batch}.0")).json()["explanation"]
    assert (await api.post(f"/v1/batches/{batch}/start")).status_code == 409
    list_ = {"content": b"fax\n+12025550101\n", "headers": {"Content-Type": "text/csv"}}
    assert (await api.post(f"/v1/batches/{batch}/recipients", **list_)).status_code == 409  # type: ignore[arg-type]
    assert b"\nbulkfax_drafts_expired_total 1.0\n" in (await api.get("/metrics/installation")).content


async def test_the_description_names_the_problem_of_too_many_drafts(api: httpx.AsyncClient) -> None:
    paths = (await api.get("/openapi.json")).json()["paths"]
    for path in ("/v1/batches", "/v1/batches/{batch}/rerun"):
        assert "too-many-drafts" in paths[path]["post"]["responses"]["409"]["description"]


@pytest.mark.parametrize(("fields", "length", "status"), [(10, 990, 201), (10, 1_000, 422), (100, 100, 422)])
async def test_the_fields_of_a_cover_page_are_bounded_together(
    api: httpx.AsyncClient, fields: int, length: int, status: int
) -> None:
    """A hundred of the longest would be 120 kB in each of a thousand drafts."""
    data = {f"n{number:02}": "x" * length for number in range(fields)}
    options = {"cover_page_id": "c", "cover_page_data": data}
    answer = await api.post("/v1/batches", json={**NEW, "options": options})
    assert answer.status_code == status
    assert status == 201 or "10,000 characters" in answer.json()["detail"]
