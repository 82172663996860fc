"""The forecast of a batch, and the refusal of a repeat, over HTTP."""

from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from dispatcher.core.job import Recipient
from dispatcher.core.names import UploadName
from dispatcher.runtime import Runtime, open_runtime
from dispatcher.settings import Settings
from dispatcher.store.batches import UploadChunk
from dispatcher.store.documents import DocumentWarning
from tests.api.clients import client_of
from tests.service.samples import URL, draft, number, refusals

pytestmark = pytest.mark.anyio


async def listed(runtime: Runtime, regions: list[str], **more: Any) -> str:
    batch = await draft(runtime.store, **more)
    rows = [Recipient(line=line, number=number(line), region=region) for line, region in enumerate(regions, start=1)]
    rows.append(rows[0]._replace(line=len(rows) + 1))
    last = len(rows) + 2
    part = UploadChunk(
        upload=UploadName.of_key("u"), first_line=1, last_line=last, recipients=rows, refused=refusals(last)
    )
    assert (await runtime.store.batches.add_chunk(batch, part)).status == "stored"
    return batch


async def seen(api: httpx.AsyncClient, batch: str) -> dict[str, Any]:
    answer = await api.get(f"/v1/batches/{batch}/forecast")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_forecast_counts_recipients_by_country_and_what_is_left_out(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    body = await seen(api, await listed(runtime, ["DE", "US", "US", "001", ""]))
    assert list(body["countries"].items()) == [("US", 2), ("", 1), ("001", 1), ("DE", 1)]
    assert (body["recipients"], body["lines"], body["refused"], body["duplicates"]) == (5, 7, 1, 1)
    assert body["refused_reasons"] == {"impossible": 1}
    assert (body["pages"], body["pages_total"], body["unchecked_urls"]) == (None, None, [URL])


async def test_a_forecast_counts_the_pages_of_its_documents(api: httpx.AsyncClient, runtime: Runtime) -> None:
    stored = [await runtime.store.documents.put(b"%d" % pages, "letter.pdf", pages) for pages in (2, 3)]
    documents = tuple(document.sha256 for document in stored)
    body = await seen(api, await listed(runtime, ["US"] * 4, documents=documents, content_urls=()))
    assert (body["pages"], body["pages_total"], body["unchecked_urls"]) == (5, 20, [])


async def test_a_forecast_says_when_the_last_fax_is_sent(api: httpx.AsyncClient, runtime: Runtime) -> None:
    store, start = runtime.store, "2099-01-01T00:00:00.000Z"
    await store.workers.register("w", "1")
    await store._client.set(store._keys.scheduler_seen, await store.clock.ask())
    await store.rate_limiter.set_ceiling(0.1)
    start_at_ms = round(datetime.fromisoformat(start).timestamp() * 1000)
    body = await seen(api, await listed(runtime, ["US"] * 9, start_at_ms=start_at_ms))
    assert (body["jobs"], body["other_jobs"], body["rate"], body["limited_by"]) == (9, 0, 0.1, "rate")
    assert (body["starts_at"], body["finishes_at"][:19]) == (start, "2099-01-01T00:01:30")


async def test_nobody_can_say_when_without_anybody_who_sends(api: httpx.AsyncClient, runtime: Runtime) -> None:
    body = await seen(api, await listed(runtime, ["US"]))
    assert (body["finishes_at"], body["limited_by"]) == (None, "no_scheduler")


async def test_an_ended_batch_has_nothing_left_to_send(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await listed(runtime, ["US"])
    await api.post(f"/v1/batches/{batch}/cancel")
    body = await seen(api, batch)
    assert (body["jobs"], body["recipients"], body["starts_at"], body["limited_by"]) == (0, 1, None, None)


async def test_the_forecast_of_an_unknown_batch_is_missing(api: httpx.AsyncClient) -> None:
    assert (await api.get("/v1/batches/nothere/forecast")).status_code == 404


async def test_a_forecast_reads_no_row_however_many_there_are(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = await listed(runtime, ["US"])
    for name in ("recipients", "records", "refused"):
        monkeypatch.delattr(f"dispatcher.store.batches.Batches.{name}")
    assert (await seen(api, batch))["recipients"] == 1


async def test_a_forecast_has_the_price_of_the_policys_list(settings: Settings, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[prices]\ncurrency = "USD"\nUS = 0.045\nDE = 0.1\n"+1203" = 1\n')
    priced = settings.model_copy(update={"policy_file": policy})
    async with open_runtime(priced) as runtime, client_of(runtime) as api:
        document = await runtime.store.documents.put(b"2", "letter.pdf", 2)
        batch = await listed(runtime, ["US", "DE", "FR"], documents=(document.sha256,), content_urls=())
        price = (await seen(api, batch))["price"]
    assert price == {"amount": "0.29", "currency": "USD", "unpriced": 1, "estimated": False}


async def test_a_repeat_is_refused_with_the_earlier_batch(api: httpx.AsyncClient) -> None:
    fax = {"to": "+12025550101", "content_urls": [URL]}
    first = (await api.post("/v1/faxes", json=fax)).json()
    problem = (await api.post("/v1/faxes", json=fax)).json()
    assert (problem["status"], problem["type"]) == (409, "urn:bulkfax:problem:repeat")
    assert (problem["batch"], problem["shared"]) == (first["batch"], 1)
    assert (await api.post("/v1/faxes", json={**fax, "allow_repeat": True})).status_code == 202


async def test_the_forecast_of_a_draft_names_what_its_start_would_be_refused_without(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    warning = DocumentWarning(code="small_text", page=1, sentence="Page 1 has text below 8 pt.")
    document = (await runtime.store.documents.put(b"1", "letter.pdf", 1, warnings=(warning,))).sha256

    async def uploaded() -> str:
        batch: str = (await api.post("/v1/batches", json={"name": "March", "documents": [document]})).json()["id"]
        csv = {"Content-Type": "text/csv"}
        await api.post(f"/v1/batches/{batch}/recipients", content=b"fax\n+12025550101\n", headers=csv)
        return batch

    first = await uploaded()
    body = await seen(api, first)
    assert (body["start_needs"], body["repeats"]) == (["allow_warnings"], None)
    refused = await api.post(f"/v1/batches/{first}/start")
    assert refused.status_code == 409
    answer = await api.post(f"/v1/batches/{first}/start", json=dict.fromkeys(body["start_needs"], True))
    assert answer.status_code == 200
    body = await seen(api, again := await uploaded())
    assert body["start_needs"] == ["allow_warnings", "allow_repeat"]
    assert (body["repeats"]["batch"], body["repeats"]["shared"]) == (first, 1)
    refused = await api.post(f"/v1/batches/{again}/start", json={"allow_warnings": True})
    assert refused.json()["detail"] == body["repeats"]["sentence"]
    answer = await api.post(f"/v1/batches/{again}/start", json=dict.fromkeys(body["start_needs"], True))
    assert answer.status_code == 200
    assert (await seen(api, again))["start_needs"] == []


async def test_a_key_that_allows_warnings_needs_no_permission(settings: Settings) -> None:
    keys = {"api_keys": [SecretStr("a"), SecretStr("b")], "api_keys_allow_warnings": [SecretStr("b")]}
    warning = DocumentWarning(code="small_text", page=1, sentence="Page 1 has text below 8 pt.")
    async with open_runtime(settings.model_copy(update=keys)) as runtime, client_of(runtime) as api:
        document = await runtime.store.documents.put(b"1", "letter.pdf", 1, warnings=(warning,))
        batch = await listed(runtime, ["US"], documents=(document.sha256,), content_urls=())
        needs = []
        for key in "ab":
            api.headers["Authorization"] = f"Bearer {key}"
            needs.append((await seen(api, batch))["start_needs"])
    assert needs == [["allow_warnings"], []]
