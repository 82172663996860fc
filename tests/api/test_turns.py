"""What many clients do at a time: it waits for its turn, so that memory stays bounded and nobody is refused at once."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial

import httpx
import pytest
from fastapi import HTTPException

from dispatcher.api import app, documents, recipients
from dispatcher.api.body_limit import BODIES_AT_ONCE, BODIES_WAITING
from dispatcher.api.connection import BoundedConnection
from dispatcher.api.turns import Turns
from dispatcher.runtime import Runtime
from tests.api.clients import client_of, served
from tests.service.samples import draft, number

pytestmark = pytest.mark.anyio

CSV = {"Content-Type": "text/csv"}
#: a block of these is more than two megabytes of a report
LONG_ROWS, REFERENCE = 40, "r" * 60_000
READERS = 24
LIST = "fax,reference\n" + "".join(f"{number(row)},{REFERENCE}\n" for row in range(LONG_ROWS))


class Quick(BoundedConnection):
    """Connections that wait shorter for readers."""

    TICK_S = 0.05
    READ_GRACE_S = 0.5


@contextmanager
def traced() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


async def test_turns_are_bounded_and_so_are_those_who_wait() -> None:
    turns = Turns("things happen", at_once=2, waiting=2, wait_s=0.05)
    async with turns.turn(), turns.turn():
        waiting = [asyncio.create_task(turns.take()) for _ in range(2)]
        await asyncio.sleep(0)
        for refused in (turns.take(), *waiting):
            with pytest.raises(HTTPException, match="2 things happen at a time"):
                await refused
        waiting = [asyncio.create_task(turns.take()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.wait(waiting[:1])
        waiting.append(asyncio.create_task(turns.take()))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting[1:])
    turns.end()
    async with turns.turn():
        pass


async def test_many_small_lists_at_a_time_are_all_read(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store)
    uploads = (
        api.post(f"/v1/batches/{batch}/recipients", content=f"fax\n{number(row)}\n", headers=CSV) for row in range(120)
    )
    answers = await asyncio.gather(*uploads)
    assert [answer.status_code for answer in answers] == [200] * 120


async def test_lists_that_wait_too_long_are_asked_to_come_again(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "Turns", partial(Turns, wait_s=0.1))
    url = f"/v1/batches/{await draft(runtime.store)}/recipients"
    stalled = asyncio.Semaphore(0)

    async def stall() -> AsyncIterator[bytes]:
        yield b"fax\n"
        stalled.release()
        await asyncio.Event().wait()

    async with client_of(runtime) as api:
        send = partial(api.post, url, headers=CSV)
        stalls = [asyncio.create_task(send(content=stall())) for _ in range(recipients.LISTS_AT_ONCE)]
        async with asyncio.timeout(10):
            for _ in stalls:
                await stalled.acquire()
        refused = await send(content="fax\n")
        assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (503, True)
        for task in stalls:
            task.cancel()
        await asyncio.gather(*stalls, return_exceptions=True)
        assert (await send(content=f"fax\n{number(1)}\n")).status_code == 200


@asynccontextmanager
async def requested(
    address: tuple[str, int], *requests: bytes
) -> AsyncIterator[list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]:
    """Connections with a request each, whose answers are not read."""
    opened = []
    try:
        for request in requests:
            opened.append(await asyncio.open_connection(*address, limit=1024))
            opened[-1][1].write(request)
        yield opened
    finally:
        for _, writer in opened:
            writer.transport.abort()


async def status(reader: asyncio.StreamReader) -> int:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        return int((await asyncio.wait_for(reader.readuntil(b"\n"), 20)).split()[1])
    return 0


@pytest.mark.parametrize("path", ["report", "jobs?limit=1000"])
async def test_readers_that_do_not_read_keep_little_in_memory(
    path: str, api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """A reader that reads gets its turn when they are sent away."""
    batch = await draft(runtime.store)
    await api.post(f"/v1/batches/{batch}/recipients", content=LIST, headers=CSV)
    request = f"GET /v1/batches/{batch}/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    async with served(runtime, Quick) as address:
        with traced():
            async with requested(address, *[request] * READERS):
                async with httpx.AsyncClient(timeout=30) as client:
                    answer = await client.get(f"http://{address[0]}:{address[1]}/v1/batches/{batch}/{path}")
                _, peak = tracemalloc.get_traced_memory()
    assert (answer.status_code, answer.text.count(REFERENCE) > LONG_ROWS // 2) == (200, True)
    assert peak < 40_000_000


async def test_large_bodies_that_stall_keep_little_in_memory(runtime: Runtime) -> None:
    head = b"POST /v1/batches HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    body = json.dumps({"name": "n" * 900_000}).encode()
    request = head + b"Content-Length: 999999\r\n\r\n" + body
    count = BODIES_AT_ONCE + BODIES_WAITING + 60
    async with served(runtime) as address:
        with traced():
            async with requested(address, *[request] * count) as opened:
                answers = [asyncio.create_task(status(reader)) for reader, _ in opened]
                async with asyncio.timeout(20):
                    while sum(task.done() for task in answers) < 60:
                        await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED, timeout=0.05)
                        answers = [task for task in answers if not task.done() or task.result() == 503]
                held, _ = tracemalloc.get_traced_memory()
        small = httpx.AsyncClient(base_url=f"http://{address[0]}:{address[1]}")
        async with small:
            assert (await small.post("/v1/batches", json={"name": "n"})).status_code == 422
    assert held < 40_000_000


async def test_documents_that_arrive_slowly_are_bounded(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is in a temporary file of up to 21 MB. Those that stall free their turns when they end."""
    monkeypatch.setattr(app, "Turns", partial(Turns, wait_s=0.1))
    stalled = asyncio.Semaphore(0)

    async def stall() -> AsyncIterator[bytes]:
        yield b"%PDF-1.7\n"
        stalled.release()
        await asyncio.Event().wait()

    async with client_of(runtime) as api:
        send = partial(api.post, "/v1/documents", headers={"Content-Type": "application/pdf"})
        stalls = [asyncio.create_task(send(content=stall())) for _ in range(documents.UPLOADS_AT_ONCE)]
        async with asyncio.timeout(10):
            for _ in stalls:
                await stalled.acquire()
        refused = await send(content=b"%PDF-1.7\n")
        assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (503, True)
        for task in stalls:
            task.cancel()
        await asyncio.gather(*stalls, return_exceptions=True)
        assert (await send(content=b"%PDF-1.7\n")).status_code == 422


async def test_a_turn_of_a_body_ends_with_its_request(runtime: Runtime) -> None:
    async with client_of(runtime) as api, AsyncExitStack():
        for _ in range(BODIES_AT_ONCE + 1):
            assert (await api.post("/v1/batches", json={"name": "n" * 20_000})).status_code == 422
