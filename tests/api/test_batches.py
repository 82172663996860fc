"""Batches over HTTP: made, listed, commanded, run again, reported."""

import csv
import io
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from dispatcher.core.job import State
from dispatcher.runtime import Runtime
from dispatcher.settings import Settings
from tests.api.clients import api_with
from tests.documents.pdfs import letter
from tests.service.samples import URL, draft, end_jobs, running

pytestmark = pytest.mark.anyio

NEW = {"name": "March", "content_urls": [URL]}


async def created(api: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await api.post("/v1/batches", json={**NEW, **more})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/batches/{body['id']}"
    return body


async def test_a_new_batch_shows_all_that_was_asked_for(api: httpx.AsyncClient) -> None:
    fields = {
        "priority": "urgent",
        "weight": 7,
        "default_country": "GB",
        "on_partial": "stop",
        "options": {
            "from": "+12025550100",
            "header_page_numbers": False,
            "resolution": "SUPERFINE",
            "cover_page_id": "01ABC",
            "cover_page_data": {"from": "Example Ltd"},
        },
        "start_at": "2099-01-01T00:00:00.000Z",
        "deadline": "2099-01-02T01:00:00+01:00",
    }
    body = await created(api, **fields)
    assert {name: body[name] for name in fields} == {**fields, "deadline": "2099-01-02T00:00:00.000Z"}
    assert (body["state"], body["rows"], body["counts"]["waiting"]) == ("draft", 0, 0)


@pytest.mark.parametrize(
    ("more", "field", "message"),
    [
        ({"weigth": 3}, "weigth", "no such field"),
        ({"options": {"colour": True}}, "options.colour", "no such field"),
        ({"options": {"from": "0202 555"}}, "options.from", "+12025550100"),
        ({"options": {"header_text": "x" * 51}}, "options.header_text", "50"),
        ({"options": {"header_time_zone": "Mars/Olympus"}}, "options.header_time_zone", "time zone"),
        ({"options": {"header_time_zone": "America"}}, "options.header_time_zone", "time zone"),
        ({"options": {"header_page_numbers": "perhaps"}}, "options.header_page_numbers", "boolean"),
        ({"options": {"from": "12025550100"}}, "options.from", "+12025550100"),
        ({"options": {"resolution": "STANDARD"}}, "options.resolution", "'FINE' or 'SUPERFINE'"),
        ({"options": {"image_conversion_method": "GREY"}}, "options.image_conversion_method", "'HALFTONE'"),
        ({"options": {"service_id": "x" * 201}}, "options.service_id", "200"),
        ({"options": {"cover_page_data": {"a": "b"}}}, "options.cover_page_data", "cover_page_id"),
        (
            {"options": {"cover_page_id": "", "cover_page_data": {"a": "b"}}},
            "options.cover_page_data",
            "cover_page_id",
        ),
        ({"options": {"cover_page_id": "1", "cover_page_data": {"a": 1}}}, "options.cover_page_data.a", "string"),
        ({"name": ""}, "name", "at least 1"),
        ({"weight": 0}, "weight", "greater than"),
        ({"priority": "high"}, "priority", "'bulk' or 'urgent'"),
        ({"documents": ["x"]}, "documents[0]", "upload the document"),
        ({"documents": ["0" * 64]}, "documents[0]", "upload it first"),
        ({"content_urls": ["ftp://example.com"]}, "content_urls[0]", "full address"),
        ({"content_urls": ["https://"]}, "content_urls[0]", "full address"),
        ({"content_urls": ["https://[x"]}, "content_urls[0]", "full address"),
        ({"content_urls": ["https://example.com:99999/a.pdf"]}, "content_urls[0]", "full address"),
        ({"content_urls": [URL, "https://example.com/a b.pdf"]}, "content_urls[1]", "percent-encoded"),
        ({"content_urls": [URL] * 11}, "content_urls", "at most 10"),
        ({"documents": ["0" * 64] * 11}, "documents", "at most 10"),
        ({"content_urls": []}, "documents", "at least one"),
        ({"default_country": "Atlantis"}, "default_country", "not known"),
        ({"start_at": "2099-01-01T00:00:00"}, "start_at", "timezone"),
        ({"deadline": "2001-01-01T00:00:00Z"}, "deadline", "future"),
    ],
)
async def test_a_field_that_cannot_be_used_is_named(
    api: httpx.AsyncClient, more: dict[str, object], field: str, message: str
) -> None:
    answer = await api.post("/v1/batches", json={**NEW, **more})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    (fault,) = answer.json()["errors"]
    assert fault["field"] == field
    assert message in fault["message"]
    assert (await api.get("/v1/batches")).json()["batches"] == []


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b'{"name": ', "application/json", "not valid JSON"),
        (b'{"name": "x"}', "application/x-www-form-urlencoded", "Content-Type: application/json"),
        (b"[1]", "application/json", "JSON object"),
        (b"", "application/json", "needed"),
    ],
)
async def test_a_body_that_is_no_json_object_is_told_so(
    api: httpx.AsyncClient, content: bytes, kind: str, message: str
) -> None:
    answer = await api.post("/v1/batches", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body"
    assert message in answer.json()["detail"]


async def test_an_idempotency_key_makes_a_repeat_harmless_and_other_content_a_conflict(api: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}
    first = await api.post("/v1/batches", json=NEW, headers=key)
    again = await api.post("/v1/batches", json=NEW, headers=key)
    other = await api.post("/v1/batches", json={**NEW, "name": "April"}, headers=key)
    assert again.json() == first.json()
    assert (other.status_code, other.json()["type"]) == (409, "urn:bulkfax:problem:key-reused")


async def test_batches_are_listed_newest_first_page_by_page(api: httpx.AsyncClient) -> None:
    names = [(await created(api, name=f"batch {n}"))["name"] for n in range(5)]
    pages, after = [], ""
    while after is not None:
        page = (await api.get("/v1/batches", params={"limit": 2, "after": after})).json()
        pages.append([batch["name"] for batch in page["batches"]])
        after = page["next"]
    assert [name for page in pages for name in page] == names[::-1]
    assert [len(page) for page in pages] == [2, 2, 1]


async def test_a_batch_goes_through_its_commands(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, 3)
    states = []
    for verb in ("start", "pause", "resume", "cancel"):
        answer = await api.post(f"/v1/batches/{batch}/{verb}")
        assert (answer.status_code, answer.json()["in_flight"]) == (200, 0)
        states.append(answer.json()["state"])
    assert states == ["running", "paused", "running", "cancelled"]
    shown = (await api.get(f"/v1/batches/{batch}")).json()
    assert shown["counts"]["cancelled"] == 3


async def test_a_command_that_does_not_fit_says_why(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store)
    empty = await api.post(f"/v1/batches/{batch}/start")
    assert (empty.status_code, "no valid recipient" in empty.json()["detail"]) == (409, True)
    early = await api.post(f"/v1/batches/{batch}/resume")
    assert early.json()["detail"] == f"batch {batch} is draft: it cannot be resumed"


async def test_wrong_credentials_are_told_before_a_batch_starts(settings: Settings, runtime: Runtime) -> None:
    wrong = settings.sinch.model_copy(update={"key_secret": SecretStr("wrong")})
    batch = await draft(runtime.store, 1)
    async with api_with(settings.model_copy(update={"sinch": wrong})) as api:
        answer = await api.post(f"/v1/batches/{batch}/start")
        assert (answer.status_code, answer.json()["type"]) == (502, "urn:bulkfax:problem:wrong-credentials")
        assert (await api.get(f"/v1/batches/{batch}")).json()["state"] == "draft"


async def test_failed_jobs_are_run_again_as_a_new_batch(api: httpx.AsyncClient, runtime: Runtime) -> None:
    parent = await running(runtime.store, 3)
    await end_jobs(runtime.store, parent, {0: (State.FAILED, "busy"), 2: (State.FAILED, "no_answer")})
    asked = {"categories": ["busy"], "start": False, "reason": "the line was busy"}
    answer = await api.post(f"/v1/batches/{parent}/rerun", json=asked)
    assert answer.status_code == 201
    child = answer.json()
    assert (child["parent"], child["rows"], child["state"]) == (parent, 1, "draft")
    assert (child["reason"], child["parents"]) == ("the line was busy", [parent])
    assert (await api.get(f"/v1/batches/{parent}")).json()["reruns"] == [child["id"]]
    assert answer.headers["Location"] == f"/v1/batches/{child['id']}"


async def test_only_final_jobs_can_be_run_again(api: httpx.AsyncClient, runtime: Runtime) -> None:
    parent = await running(runtime.store, 1)
    answer = await api.post(f"/v1/batches/{parent}/rerun", json={"states": ["waiting"], "reason": "r"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "states[0]")


async def test_final_jobs_are_counted_by_category(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await running(runtime.store, 4)
    ends = {0: (State.FAILED, "busy"), 1: (State.FAILED, "busy"), 3: (State.DELIVERED, "")}
    await end_jobs(runtime.store, batch, ends)
    shown = (await api.get(f"/v1/batches/{batch}")).json()
    assert shown["categories"] == {"failed": {"busy": 2}}
    assert (shown["counts"]["failed"], shown["counts"]["delivered"]) == (2, 1)


async def test_a_hold_of_the_account_is_shown_with_the_batch(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await running(runtime.store, 1)
    await runtime.store.holds.open("account", "no_funds", "the account has no money")
    shown = (await api.get(f"/v1/batches/{batch}")).json()
    assert (shown["state"], shown["holds"][0]["scope"]) == ("held", "account")


async def test_the_report_is_a_table_of_all_lines(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, 1_500)
    answer = await api.get(f"/v1/batches/{batch}/report")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [line["line"] for line in lines] == [str(n) for n in range(1, 1_501)]
    assert (await api.get("/v1/batches/nothere/report")).status_code == 404


async def test_a_document_that_was_uploaded_is_a_batch_s_content(api: httpx.AsyncClient) -> None:
    document = (await api.post("/v1/documents", content=letter(2))).json()
    body = await created(api, documents=[document["id"]], content_urls=[])
    assert body["documents"] == [document["id"]]


@pytest.mark.parametrize("body", [{}, {"json": {}}, {"json": {"allow_warnings": True, "allow_repeat": True}}])
async def test_a_start_takes_a_body_or_none(api: httpx.AsyncClient, runtime: Runtime, body: dict[str, Any]) -> None:
    batch = await draft(runtime.store, 1)
    answer = await api.post(f"/v1/batches/{batch}/start", **body)
    assert (answer.status_code, answer.json()["state"]) == (200, "running")


async def test_a_start_refuses_a_field_that_it_does_not_know(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store, 1)
    answer = await api.post(f"/v1/batches/{batch}/start", json={"allow_everything": True})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "allow_everything")
