"""Single faxes over HTTP."""

import httpx
import pytest

from tests.service.samples import URL

pytestmark = pytest.mark.anyio

FAX = {"to": "(202) 555-0101", "content_urls": [URL], "reference": "invoice 7"}


async def test_a_single_fax_is_an_urgent_batch_that_runs_at_once(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/faxes", json=FAX)
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["number"], job["reference"], job["state"]) == ("+12025550101", "invoice 7", "waiting")
    batch = (await api.get(f"/v1/batches/{job['batch']}")).json()
    assert (batch["state"], batch["priority"], batch["rows"]) == ("running", "urgent", 1)


async def test_a_number_in_national_form_is_read_by_its_country(api: httpx.AsyncClient) -> None:
    job = (await api.post("/v1/faxes", json={**FAX, "to": "020 7946 0102", "country": "GB"})).json()
    assert job["number"] == "+442079460102"


@pytest.mark.parametrize("to", ["", "12", "call me", "+1 202 555 0101 ext 5"])
async def test_a_number_that_cannot_be_faxed_is_refused_and_makes_no_batch(api: httpx.AsyncClient, to: str) -> None:
    answer = await api.post("/v1/faxes", json={**FAX, "to": to})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "to")
    assert (await api.get("/v1/batches")).json()["batches"] == []


async def test_the_same_key_is_one_fax_and_other_content_a_conflict(api: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}
    first = await api.post("/v1/faxes", json=FAX, headers=key)
    again = await api.post("/v1/faxes", json=FAX, headers=key)
    other = await api.post("/v1/faxes", json={**FAX, "to": "+12025550102"}, headers=key)
    assert again.json() == first.json()
    assert other.status_code == 409
