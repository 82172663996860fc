"""The callback receiver."""

import json
from typing import Any

import httpx
import pytest

from dispatcher.api.body_limit import largest_body
from dispatcher.core.outcome import FaxStatus
from dispatcher.core.settlement.callbacks import CallbackProof
from dispatcher.runtime import Runtime
from dispatcher.service.inbox_consumer import decode
from dispatcher.sinch.callback_url import callback_url

pytestmark = pytest.mark.anyio

JOB, ATTEMPT = "b1.0", 2
FAX = {"id": "01F", "status": "FAILURE", "to": "+12025550101", "errorType": "CALL_ERROR", "errorCode": 17}
EVENT = {"event": "FAX_COMPLETED", "eventTime": "2026-01-01T00:00:00Z", "fax": FAX}


@pytest.fixture
def address(runtime: Runtime) -> str:
    return callback_url("", JOB, ATTEMPT, runtime.callback_keys[0])


async def stored(runtime: Runtime) -> list[bytes]:
    return [event for _, event in (await runtime.store.inbox.take("test", 10, 0)).entries]


async def counted(runtime: Runtime, result: str) -> int:
    return (await runtime.store.metric_totals.all()).get(("callbacks", result), 0)


@pytest.mark.parametrize(
    "body",
    [
        {"json": {**EVENT, "file": "JVBERi0=" * 1000, "fileType": "PDF"}},
        {
            "data": {"event": "FAX_COMPLETED", "fax": json.dumps(FAX)},
            "files": {"file": ("fax.pdf", b"%PDF-" + b"x" * 300_000, "application/pdf")},
        },
    ],
    ids=["JSON", "multipart"],
)
async def test_an_event_is_stored_without_its_document_before_it_is_acknowledged(
    api: httpx.AsyncClient, runtime: Runtime, address: str, body: dict[str, Any]
) -> None:
    assert (await api.post(address, **body)).status_code == 200
    (event,) = await stored(runtime)
    assert len(event) < 500
    fax_update, labels = decode(event)
    assert labels is CallbackProof.ABSENT
    assert (fax_update.job, fax_update.attempt, fax_update.fax_id) == (JOB, ATTEMPT, "01F")
    assert (fax_update.status, fax_update.error_type, fax_update.error_code) == (FaxStatus.FAILURE, "CALL_ERROR", 17)


@pytest.mark.parametrize(
    "path",
    ["b1.0/3/{s}", "b1.1/2/{s}", "b1.0/2/x", "b1.0/2/{s}x", "b1.0/two/{s}", f"b1.0/{'9' * 5_000}/{{s}}"],
    ids=lambda path: path[:20],
)
async def test_an_address_that_we_did_not_make_is_refused_and_counted(
    api: httpx.AsyncClient, runtime: Runtime, address: str, path: str
) -> None:
    forged = f"/callbacks/sinch/{path.format(s=address.rpartition('/')[2])}"
    answer = await api.post(forged, json=EVENT)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:bulkfax:problem:forged")
    assert await stored(runtime) == []
    assert await counted(runtime, "forged") == 1


@pytest.mark.parametrize(
    ("labels", "kept"),
    [
        ({"bulkfax-job": JOB, "bulkfax-attempt": str(ATTEMPT)}, [CallbackProof.RIGHT]),
        ({"bulkfax-job": JOB}, [CallbackProof.ABSENT]),
        ({}, [CallbackProof.ABSENT]),
        ({"bulkfax-job": "b1.1", "bulkfax-attempt": str(ATTEMPT)}, []),
        ({"bulkfax-job": JOB, "bulkfax-attempt": "1"}, []),
    ],
)
async def test_what_the_labels_show_is_stored_and_wrong_ones_are_dropped(
    api: httpx.AsyncClient, runtime: Runtime, address: str, labels: dict[str, str], kept: list[CallbackProof]
) -> None:
    answer = await api.post(address, json={**EVENT, "fax": {**FAX, "labels": labels}})
    assert answer.status_code == 200
    assert [decode(event)[1] for event in await stored(runtime)] == kept
    assert await counted(runtime, "mismatched") == (not kept)


async def test_an_event_that_we_do_not_know_is_acknowledged_and_counted(
    api: httpx.AsyncClient, runtime: Runtime, address: str
) -> None:
    assert (await api.post(address, json={"event": "PAGE_SENT", "fax": FAX})).status_code == 200
    assert await stored(runtime) == []
    assert await counted(runtime, "other") == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"event": "FAX_COMPLETED"}', b'{"fax": {}}'])
async def test_a_body_that_is_no_event_is_refused_and_counted(
    api: httpx.AsyncClient, runtime: Runtime, address: str, content: bytes
) -> None:
    answer = await api.post(address, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert await counted(runtime, "unreadable") == 1


async def test_incoming_faxes_are_acknowledged_counted_and_dropped(api: httpx.AsyncClient, runtime: Runtime) -> None:
    answer = await api.post("/callbacks/sinch/incoming", json={**EVENT, "event": "INCOMING_FAX"})
    assert answer.status_code == 200
    assert await stored(runtime) == []
    assert await counted(runtime, "incoming") == 1


async def test_a_body_that_is_too_large_is_refused_while_it_comes(
    api: httpx.AsyncClient, runtime: Runtime, address: str
) -> None:
    piece, pieces = b" " * 1_000_000, largest_body(address) // 1_000_000 + 5
    sent = 0

    async def body() -> Any:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
        for _ in range(pieces):
            sent += 1
            yield piece

    answer = await api.post(address, content=body(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert (answer.status_code, sent) == (413, pieces - 5)
    assert await stored(runtime) == []
