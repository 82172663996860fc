"""Every command is sent twice, as clients do by themselves after a lost answer. It succeeds, and changes nothing.

One table has every operation that changes something. A new one fails the first test until it has its line.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from dispatcher.api.app import create_app
from dispatcher.client import AsyncClient, NewBatch, NewFax, Unanswered
from dispatcher.core.batch import Command
from dispatcher.core.job import JobId, State
from dispatcher.core.suppressions import Suppression, SuppressionSource
from dispatcher.runtime import Runtime
from tests.documents.pdfs import letter
from tests.service.samples import URL, draft, end_jobs, running
from tests.store.fixture import KEYS, dump

pytestmark = pytest.mark.anyio

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
LATER_MS = round(LATER.timestamp() * 1000)
NEW = {"name": "March", "content_urls": [URL]}
HOOK = {"url": "https://hooks.example.com/bulkfax"}
CSV = {"Content-Type": "text/csv"}
KEY = {"Idempotency-Key": "mine"}
#: keys that say when something was looked at or asked for last
TIMES = (KEYS.documents_used, KEYS.wake)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The request, once what it needs is there."""

    path: str
    json: Any = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


Prepare = Callable[[Runtime], Awaitable[Call]]


def plain(path: str, json: Any = None, content: bytes | None = None, headers: dict[str, str] | None = None) -> Prepare:
    """A request that needs nothing."""

    async def prepare(_: Runtime) -> Call:
        return Call(path=path, json=json, content=content, headers=headers or {})

    return prepare


def of_batch(create: Callable[[Runtime], Awaitable[str]], end: str, json: Any = None, **more: Any) -> Prepare:
    """A request about a batch that is made first."""

    async def prepare(runtime: Runtime) -> Call:
        return Call(path=f"/v1/batches/{await create(runtime)}{end}", json=json, **more)

    return prepare


def drafted(rows: int = 4, **more: object) -> Callable[[Runtime], Awaitable[str]]:
    return lambda runtime: draft(runtime.store, rows, **more)


def commanded(*commands: Command, quota: int = 0, **more: object) -> Callable[[Runtime], Awaitable[str]]:
    """Make a batch and command it; it can be sent for a day or so before it begins, if it has a start time."""

    async def create(runtime: Runtime) -> str:
        batch = await draft(runtime.store, 4, **more)
        for command in commands:
            await runtime.store.batches.command(batch, command, quota=quota)
        return batch

    return create


async def finished(runtime: Runtime) -> str:
    batch = await running(runtime.store, 2)
    await end_jobs(runtime.store, batch, {0: (State.DELIVERED, ""), 1: (State.FAILED, "busy")})
    return batch


async def reruns_of_two(runtime: Runtime) -> Call:
    batches = [await finished(runtime)]
    return Call(path="/v1/reruns", json={"batches": batches, "reason": "again"}, headers=KEY)


async def document(runtime: Runtime) -> Call:
    info = await runtime.store.documents.put(letter(1), "letter.pdf", 1)
    return Call(path=f"/v1/documents/{info.sha256}")


async def held(runtime: Runtime, path: str, json: Any = None) -> Call:
    await runtime.store.holds.open("country:AQ", "not_permitted", "the account may not send there")
    return Call(path=path, json=json)


async def suppressed(runtime: Runtime, path: str) -> Call:
    await runtime.store.suppressions.put([Suppression(number="+12025550143", source=SuppressionSource.MANUAL)])
    return Call(path=path)


async def lost_writes(runtime: Runtime) -> Call:
    """The provider's faxes are read already, so that sending goes on at once."""
    await runtime.store.rollbacks.report_attempt(JobId("b1", 7), 2, 0)
    rollback = await runtime.store.rollbacks.last()
    assert rollback
    await runtime.store.rollbacks.listed(rollback, rollback.noticed_ms, all_of_them=True)
    return Call(path="/v1/account/resume", json={"accept_rollback": True})


async def blocked(runtime: Runtime) -> Call:
    await runtime.store.rate_limiter.slow_down(0, 60.0, 0.0)
    return Call(path="/v1/account/unblock")


def of_endpoint(end: str = "", json: Any = None) -> Callable[[Runtime, httpx.AsyncClient], Awaitable[Call]]:
    async def prepare(_: Runtime, api: httpx.AsyncClient) -> Call:
        endpoint = (await api.post("/v1/webhook-endpoints", json=HOOK)).json()["id"]
        return Call(path=f"/v1/webhook-endpoints/{endpoint}{end}", json=json)

    return prepare


ALL_WAITING = {"states": ["waiting"], "reason": "wrong list"}
SENDER = {"options": {"from": "+12025550101"}}
#: operation and case -> what it needs
TABLE: dict[tuple[str, str], Prepare] = {
    ("POST /v1/batches", ""): plain("/v1/batches", NEW, headers=KEY),
    ("POST /v1/batches/{batch}/recipients", ""): of_batch(
        drafted(0), "/recipients", content=b"fax\n+12025550101\n12\n", headers=CSV | KEY
    ),
    ("POST /v1/recipients/dry-run", ""): plain("/v1/recipients/dry-run", content=b"fax\n+12025550101\n", headers=CSV),
    ("POST /v1/batches/{batch}/start", "a draft"): of_batch(drafted(), "/start"),
    ("POST /v1/batches/{batch}/start", "first"): of_batch(drafted(), "/start", {"first": 2}),
    ("POST /v1/batches/{batch}/start", "percent"): of_batch(drafted(), "/start", {"percent": 30}),
    ("POST /v1/batches/{batch}/start", "more than all"): of_batch(drafted(), "/start", {"first": 9}),
    ("POST /v1/batches/{batch}/start", "a start time"): of_batch(drafted(start_at_ms=LATER_MS), "/start"),
    ("POST /v1/batches/{batch}/start", "a part of it later"): of_batch(
        drafted(start_at_ms=LATER_MS), "/start", {"first": 2}
    ),
    ("POST /v1/batches/{batch}/start", "now"): of_batch(
        commanded(Command.START, start_at_ms=LATER_MS), "/start", {"now": True}
    ),
    ("POST /v1/batches/{batch}/start", "a draft now"): of_batch(
        drafted(start_at_ms=LATER_MS), "/start", {"now": True, "first": 2}
    ),
    ("POST /v1/batches/{batch}/continue", ""): of_batch(commanded(Command.START, quota=2), "/continue"),
    ("POST /v1/batches/{batch}/pause", ""): of_batch(commanded(Command.START), "/pause"),
    ("POST /v1/batches/{batch}/pause", "scheduled"): of_batch(commanded(Command.START, start_at_ms=LATER_MS), "/pause"),
    ("POST /v1/batches/{batch}/resume", ""): of_batch(commanded(Command.START, Command.PAUSE), "/resume"),
    ("POST /v1/batches/{batch}/resume", "before its time"): of_batch(
        commanded(Command.START, Command.PAUSE, start_at_ms=LATER_MS), "/resume"
    ),
    ("POST /v1/batches/{batch}/cancel", ""): of_batch(commanded(Command.START), "/cancel"),
    ("POST /v1/batches/{batch}/cancel", "a draft"): of_batch(drafted(), "/cancel"),
    ("POST /v1/batches/{batch}/jobs/cancel", "all"): of_batch(commanded(Command.START), "/jobs/cancel", ALL_WAITING),
    ("POST /v1/batches/{batch}/jobs/cancel", "some"): of_batch(
        commanded(Command.START), "/jobs/cancel", ALL_WAITING | {"references": ["r1"]}
    ),
    ("PATCH /v1/batches/{batch}", "a version"): of_batch(
        commanded(Command.START, Command.PAUSE), "", SENDER | {"version": 1}
    ),
    ("PATCH /v1/batches/{batch}", "no new version"): of_batch(
        commanded(Command.START), "", {"weight": 3, "version": 1}
    ),
    ("PATCH /v1/batches/{batch}", "any version"): of_batch(drafted(), "", SENDER | {"name": "April"}),
    ("DELETE /v1/batches/{batch}", ""): of_batch(commanded(Command.CANCEL), ""),
    ("DELETE /v1/batches/{batch}", "none"): plain("/v1/batches/nothere"),
    ("POST /v1/batches/{batch}/rerun", ""): of_batch(finished, "/rerun", {"reason": "again"}, headers=KEY),
    ("POST /v1/reruns", ""): reruns_of_two,
    ("POST /v1/faxes", ""): plain("/v1/faxes", {"to": "+12025550101", "content_urls": [URL]}, headers=KEY),
    ("POST /v1/documents", ""): plain("/v1/documents", content=letter(1), headers={"Content-Type": "application/pdf"}),
    ("DELETE /v1/documents/{sha256}", ""): document,
    ("POST /v1/suppressions", ""): plain("/v1/suppressions", {"number": "+12025550143", "reason": "asked for it"}),
    ("DELETE /v1/suppressions/{number}", ""): lambda runtime: suppressed(runtime, "/v1/suppressions/+12025550143"),
    ("DELETE /v1/suppressions", ""): lambda runtime: suppressed(runtime, "/v1/suppressions?source=manual"),
    ("POST /v1/suppressions/import", ""): plain(
        "/v1/suppressions/import", content=b"number\n+12025550143\n", headers=CSV
    ),
    ("PATCH /v1/account/rate", ""): plain("/v1/account/rate", {"per_second": 5, "per_day": 100}),
    ("DELETE /v1/account/rate", ""): plain("/v1/account/rate"),
    ("POST /v1/account/unblock", ""): blocked,
    ("POST /v1/account/resume", ""): lost_writes,
    ("POST /v1/account/holds/release", ""): lambda runtime: held(runtime, "/v1/account/holds/release", {"all": True}),
    ("DELETE /v1/account/holds/{scope}", ""): lambda runtime: held(runtime, "/v1/account/holds/country%3AAQ"),
    ("POST /v1/webhook-endpoints", ""): plain("/v1/webhook-endpoints", HOOK, headers=KEY),
}
OF_ENDPOINTS = {
    "PATCH /v1/webhook-endpoints/{endpoint}": of_endpoint("", {"description": "ours", "enabled": False}),
    "DELETE /v1/webhook-endpoints/{endpoint}": of_endpoint(),
    "POST /v1/webhook-endpoints/{endpoint}/rotate-secret": of_endpoint("/rotate-secret"),
    "POST /v1/webhook-endpoints/{endpoint}/replay": of_endpoint("/replay", {"after": "1-0"}),
}
#: what does something again, as docs/api.md says: another secret beside the ones before, another delivery
DONE_AGAIN = {
    "POST /v1/webhook-endpoints/{endpoint}/rotate-secret",
    "POST /v1/webhook-endpoints/{endpoint}/replay",
}


def test_the_table_has_every_operation_that_changes_something() -> None:
    paths = create_app().openapi()["paths"]
    operations = {
        f"{method.upper()} {path}" for path, methods in paths.items() for method in methods if path.startswith("/v1/")
    }
    changing = {name for name in operations if not name.startswith(("GET ", "HEAD "))}
    assert changing == {operation for operation, _ in TABLE} | OF_ENDPOINTS.keys()


async def sent(api: httpx.AsyncClient, operation: str, call: Call) -> httpx.Response:
    method = operation.partition(" ")[0]
    answer = await api.request(method, call.path, json=call.json, content=call.content, headers=call.headers)
    assert answer.is_success, answer.text
    return answer


async def stored(runtime: Runtime) -> dict[str, Any]:
    return {name: value for name, value in (await dump(runtime.store._client)).items() if name not in TIMES}


@pytest.mark.parametrize(("operation", "case"), TABLE)
async def test_a_repeated_command_succeeds_and_changes_nothing(
    api: httpx.AsyncClient, runtime: Runtime, operation: str, case: str
) -> None:
    call = await TABLE[operation, case](runtime)
    first = await sent(api, operation, call)
    before = await stored(runtime)
    again = await sent(api, operation, call)
    assert again.status_code == first.status_code
    assert await stored(runtime) == before


@pytest.mark.parametrize("operation", OF_ENDPOINTS)
async def test_a_repeated_command_to_an_endpoint_succeeds(
    api: httpx.AsyncClient, runtime: Runtime, operation: str
) -> None:
    call = await OF_ENDPOINTS[operation](runtime, api)
    first = await sent(api, operation, call)
    before = await stored(runtime)
    again = await sent(api, operation, call)
    assert again.status_code == first.status_code
    assert operation in DONE_AGAIN or await stored(runtime) == before


class LosesFirstAnswers(httpx.AsyncBaseTransport):
    """A network on which the first answer to each change is lost, after the change was made."""

    def __init__(self, api: httpx.AsyncClient) -> None:
        self._api = api
        self._lost = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        answer = await self._api.request(
            request.method, request.url.raw_path.decode(), content=content, headers=request.headers
        )
        self._lost = not self._lost and request.method != "GET"
        if self._lost:
            raise httpx.ReadError("the connection broke", request=request)
        return httpx.Response(answer.status_code, content=answer.content, headers={"Content-Type": "application/json"})


@pytest.fixture
async def client(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncClient]:
    """The product's client on that network. It waits no time before it repeats."""
    monkeypatch.setattr("dispatcher.client.answers._WAIT", lambda _: 0.0)
    async with AsyncClient("http://localhost", transport=LosesFirstAnswers(api)) as client:
        yield client


async def test_the_client_does_not_make_a_mailing_for_tomorrow_begin_today(client: AsyncClient) -> None:
    batch = await client.create_batch(NewBatch(name="March", content_urls=(URL,), start_at=LATER))
    await client.upload_recipients(batch.id, [{"fax": "+12025550101"}, {"fax": "+12025550102"}])
    started = await client.start(batch.id, first=1)
    assert (started.state, started.start_at, started.withheld) == ("scheduled", LATER, 1)
    assert (await client.pause(batch.id)).state == "paused"
    with pytest.raises(Unanswered, match="may have been carried out"):  # somebody may pause it before the repeat
        await client.resume(batch.id)
    assert (await client.resume(batch.id)).state == "scheduled"
    now = await client.start(batch.id, now=True)
    assert (now.state, now.start_at) == ("running", None)


async def test_the_client_finds_no_error_in_what_it_has_done_itself(client: AsyncClient, runtime: Runtime) -> None:
    info = await client.upload_document(letter(1))
    job = await client.send_fax(NewFax(to="+12025550101", documents=(info.id,)))
    await client.cancel(job.batch)
    assert (await client.delete_batch(job.batch)).removed == 0
    assert (await client.delete_document(info.id)).removed == 0
    await runtime.store.holds.open("country:AQ", "not_permitted", "the account may not send there")
    with pytest.raises(Unanswered):
        await client.release_hold("country:AQ")
    assert (await client.release_hold("country:AQ")).removed == 0
    assert [hold async for hold in client.holds()] == []
