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
    assert answer.headers["Location"] == f"/v1/faxes/{job['id']}"
    shown = [(await api.get(f"/v1/faxes/{name}")).json()["id"] for name in (job["id"], job["batch"])]
    assert shown == [job["id"], job["id"]]
    assert (await api.get("/v1/faxes/nothing")).status_code == 404
    assert (job["number"], job["reference"], job["state"]) == ("+12025550101", "invoice 7", "waiting")
    batch = (await api.get(f"/v1/batches/{job['batch']}")).json()
    assert (batch["state"], batch["priority"], batch["rows"]) == ("running", "urgent", 1)


async def test_a_number_in_national_form_is_read_by_its_country(api: httpx.AsyncClient) -> None:
    job = (await api.post("/v1/faxes", json={**FAX, "to": "020 7946 0102", "country": "GB"})).json()
    assert job["number"] == "+442079460102"


async def test_a_number_that_breaks_a_destination_rule_is_refused_with_the_rule(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/faxes", json={**FAX, "to": "+1 900 555 0143"})
    assert answer.status_code == 422
    assert "destinations.forbidden_types" in answer.text
    assert (await api.get("/v1/batches")).json()["batches"] == []


@pytest.mark.parametrize("to", ["", "12", "call me", "+1 202 555 0101 ext 5", "+1 202 555 0101 / 0102"])
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


@pytest.mark.parametrize(
    "body",
    [
        b'{"to":"+12025550101","content_urls":["https://example.com/a"],"fields":{"\\ud800":"a"}}',
        b'{"to":"+12025550101","content_urls":["https://example.com/a"],"fields":{"a":"\\udfff"}}',
        b'{"to":"+12025550101","content_urls":["https://example.com/a"],"reference":"\\ud800"}',
        b'{"to":"+12025550101","content_urls":["https://example.com/a"],"\\ud800":1}',
        b'{"to":"+12025550101","content_urls":["https://example.com/a"],"fields":{"%b":"a"}}' % (b"n" * 201),
        b'{"to":"+12025550101","content_urls":["https://example.com/a"],"fields":{"a":"%b"}}' % (b"v" * 10_001),
        b'{"to":%b1%b}' % (b"[" * 17, b"]" * 17),
        b'{"to":%b1%b}' % (b'{"a":' * 500, b"}" * 500),
        b"[" * 100_000,
        b'{"to":%b}' % (b"9" * 5000),
        b'{"to":"\xff"}',
        b"\xff\xfe",
        b"",
    ],
    ids=[
        *("surrogate in a name", "surrogate in a value", "surrogate in a text", "surrogate in an unknown field"),
        *("long name", "long value", "17 levels", "500 levels", "100,000 levels", "5,000 digits", "no UTF-8"),
        *("a byte order mark", "nothing"),
    ],
)
async def test_json_that_nothing_could_write_again_is_refused(api: httpx.AsyncClient, body: bytes) -> None:
    answer = await api.post("/v1/faxes", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (await api.get("/v1/batches")).json()["batches"] == []
