"""Documents with warnings: nothing is sent until the caller has allowed them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from dispatcher.emulator.server import RunningEmulator
from dispatcher.runtime import Runtime
from dispatcher.settings import Settings
from dispatcher.store.documents import DocumentWarning
from tests.api.clients import account_of, api_with
from tests.documents.pdfs import letter
from tests.service.samples import URL

pytestmark = pytest.mark.anyio

WARNINGS = (
    DocumentWarning(code="small_text", page=2, sentence="Page 2 has text below 8 pt."),
    DocumentWarning(code="long_sending", page=0, sentence="A call takes 20 minutes."),
)
SHOWN = [
    {"field": "documents[1]", "code": "small_text", "page": 2, "message": "Page 2 has text below 8 pt."},
    {"field": "documents[1]", "code": "long_sending", "message": "A call takes 20 minutes."},
]


@pytest.fixture
async def documents(runtime: Runtime) -> list[str]:
    """Ids of a document without warnings, and of one with two."""
    put = runtime.store.documents.put
    return [(await put(letter(1), "a.pdf", 1)).sha256, (await put(letter(2), "b.pdf", 2, warnings=WARNINGS)).sha256]


async def draft(api: httpx.AsyncClient, documents: list[str]) -> str:
    batch: str = (await api.post("/v1/batches", json={"name": "March", "documents": documents})).json()["id"]
    csv = {"Content-Type": "text/csv"}
    await api.post(f"/v1/batches/{batch}/recipients", content=b"fax\n+12025550101\n", headers=csv)
    return batch


async def test_a_document_shows_its_warnings(api: httpx.AsyncClient, documents: list[str]) -> None:
    shown = (await api.get(f"/v1/documents/{documents[1]}")).json()
    assert [(warning["code"], warning["page"]) for warning in shown["warnings"]] == [
        ("small_text", 2),
        ("long_sending", None),
    ]


@pytest.mark.parametrize("allowed", [{"json": {"allow_warnings": True}}, {"params": {"allow_warnings": "true"}}])
async def test_a_batch_starts_when_its_warnings_are_allowed(
    api: httpx.AsyncClient, documents: list[str], allowed: dict[str, Any]
) -> None:
    batch = await draft(api, documents)
    refused = await api.post(f"/v1/batches/{batch}/start")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:bulkfax:problem:document-warnings")
    assert refused.json()["errors"] == SHOWN
    assert "allow_warnings" in refused.json()["detail"]
    assert (await api.get(f"/v1/batches/{batch}")).json()["state"] == "draft"
    assert (await api.post(f"/v1/batches/{batch}/start", **allowed)).status_code == 200
    assert (await api.post(f"/v1/batches/{batch}/start")).status_code == 200  # it runs already


async def test_a_batch_without_warnings_starts_unasked(api: httpx.AsyncClient, documents: list[str]) -> None:
    batch = await draft(api, documents[:1])
    assert (await api.post(f"/v1/batches/{batch}/start")).status_code == 200


@pytest.mark.parametrize("allowed", [{"body": True}, {"params": {"allow_warnings": "true"}}])
async def test_a_single_fax_is_sent_when_its_warnings_are_allowed(
    api: httpx.AsyncClient, documents: list[str], allowed: dict[str, Any]
) -> None:
    fax = {"to": "+12025550101", "documents": documents}
    key = {"Idempotency-Key": "k"}
    refused = await api.post("/v1/faxes", json=fax, headers=key)
    assert (refused.status_code, refused.json()["errors"]) == (409, SHOWN)
    assert (await api.get("/v1/batches")).json()["batches"] == []
    body = fax | ({"allow_warnings": True} if allowed.pop("body", False) else {})
    assert (await api.post("/v1/faxes", json=body, headers=key, **allowed)).status_code == 202


async def test_a_start_says_which_documents_nobody_has_looked_at(api: httpx.AsyncClient) -> None:
    batch: str = (await api.post("/v1/batches", json={"name": "a", "content_urls": [URL]})).json()["id"]
    csv = {"Content-Type": "text/csv"}
    await api.post(f"/v1/batches/{batch}/recipients", content=b"fax\n+12025550101\n", headers=csv)
    assert (await api.post(f"/v1/batches/{batch}/start")).json()["not_checked"] == [URL]


@pytest.fixture
async def keyed(redis_url: str, emulator: RunningEmulator) -> AsyncIterator[httpx.AsyncClient]:
    """An API with two keys, of which `trusting` allows warnings."""
    settings = Settings(
        redis_url=redis_url,
        sinch=account_of(emulator),
        api_keys="asking,trusting",
        api_keys_allow_warnings="trusting",
    )
    async with api_with(settings) as api:
        yield api


async def test_a_key_may_allow_warnings_of_all_its_requests(
    keyed: httpx.AsyncClient, runtime: Runtime, documents: list[str]
) -> None:
    keyed.headers["Authorization"] = "Bearer asking"
    batch = await draft(keyed, documents)
    assert (await keyed.post(f"/v1/batches/{batch}/start")).status_code == 409
    keyed.headers["Authorization"] = "Bearer trusting"
    assert (await keyed.post(f"/v1/batches/{batch}/start")).status_code == 200


def test_a_key_that_allows_warnings_is_one_of_the_keys() -> None:
    with pytest.raises(ValidationError, match="one of BULKFAX_API_KEYS"):
        Settings(api_keys="a", api_keys_allow_warnings="b")
