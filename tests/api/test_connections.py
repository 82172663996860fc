"""Attacks on the connection itself, over loopback: no key is needed for any of them."""

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import repeat
from typing import IO, ClassVar

import pytest

from dispatcher.api.app import create_app
from dispatcher.api.connection import MAX_HEAD_BYTES, BodyKind, BodyTimes, BoundedConnection
from dispatcher.cli.services import server_config
from dispatcher.local.supervisor import STOP_TIMEOUT_S
from dispatcher.runtime import Runtime
from dispatcher.service.documents import DocumentIntake, document_url
from dispatcher.service.errors import Missing
from dispatcher.service.views import view_batch
from tests.api.clients import served
from tests.service.samples import draft, number

pytestmark = pytest.mark.anyio

OK = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
POST = b"POST /callbacks/sinch/incoming HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
MEGABYTE = b"a" * 1_000_000


class Quick(BoundedConnection):
    """The same bounds in tenths of a second."""

    HEAD_S = 0.3
    TICK_S = 0.05
    READ_GRACE_S = 0.3
    STOP_S = 0.3
    PATIENCE: ClassVar = {
        BodyKind.ORDINARY: BodyTimes(grace_s=0.3, credit_s=0, idle_s=0.3, whole_s=0.6),
        BodyKind.LIST: BodyTimes(grace_s=0.9, credit_s=1.5, idle_s=0.9),
        BodyKind.FILE: BodyTimes(grace_s=0.3, credit_s=0.6, idle_s=0.3),
    }


class Few(BoundedConnection):
    """The same bounds for few connections."""

    MAX_CONNECTIONS = 3


@pytest.fixture
async def address(runtime: Runtime) -> AsyncIterator[tuple[str, int]]:
    async with served(runtime) as address:
        yield address


@pytest.fixture
async def quick(runtime: Runtime) -> AsyncIterator[tuple[str, int]]:
    async with served(runtime, Quick) as address:
        yield address


@pytest.fixture
async def few(runtime: Runtime) -> AsyncIterator[tuple[str, int]]:
    async with served(runtime, Few) as address:
        yield address


@asynccontextmanager
async def connected(address: tuple[str, int]) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Everything until the server closes. It may reset the connection, as it does not read what is left."""
    read = b""
    with suppress(ConnectionError):
        while piece := await asyncio.wait_for(reader.read(65536), 10):
            read += piece
    return read


async def answer_to(address: tuple[str, int], *pieces: bytes) -> bytes:
    async with connected(address) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            with suppress(ConnectionError):
                await writer.drain()
            await asyncio.sleep(0)
        return await read_all(reader)


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def endless(start: bytes, piece: bytes) -> Iterator[bytes]:
    yield start
    yield from repeat(piece, max(20_000_000 // len(piece), 1))


ENDLESS = {
    "an address": endless(b"GET /", MEGABYTE),
    "a query": endless(b"GET /healthz?", MEGABYTE),
    "a header": endless(b"GET / HTTP/1.1\r\nHost: x\r\nX: ", MEGABYTE),
    "the name of a header": endless(b"GET / HTTP/1.1\r\nHost: x\r\n", MEGABYTE),
    "many headers": endless(b"GET / HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n" * 100_000),
    "a chunk extension": endless(CHUNKED + b"1;", MEGABYTE),
    "many chunk extensions": endless(CHUNKED, (b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 1000),
    "a trailer": endless(CHUNKED + b"0\r\nX: ", MEGABYTE),
    "many trailers": endless(CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n" * 100_000),
    "requests without waiting": endless(b"", OK * 10_000),
    "blank lines": endless(b"", b"\r\n" * 500_000),
}


@pytest.mark.parametrize("what", ENDLESS)
async def test_endless_input_is_cut_off_and_its_memory_stays_flat(address: tuple[str, int], what: str) -> None:
    """20 MB, or as much as the server takes."""
    assert statuses(await answer_to(address, LAST)) == [200]
    tracemalloc.start()
    try:
        sent = 0
        async with connected(address) as (reader, writer):
            with suppress(ConnectionError):
                for piece in ENDLESS[what]:
                    writer.write(piece)
                    sent += len(piece)
                    await writer.drain()
            await read_all(reader)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sent < 10_000_000
    assert peak < 8_000_000
    assert statuses(await answer_to(address, LAST)) == [200]


HALF = MAX_HEAD_BYTES // 2
GET = b"GET /healthz HTTP/1.1\r\nConnection: close\r\n"


@pytest.mark.parametrize("in_pieces", [False, True], ids=["at once", "in pieces"])
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (GET + b"Host: localhost\r\nX: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * HALF + b" HTTP/1.1\r\nHost: localhost\r\nX: " + b"b" * HALF + b"\r\n\r\n", 414),
        (GET + b"Host: localhost\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
        (CHUNKED[:-2] + b"X: " + b"b" * HALF + b"\r\n\r\n0\r\nY: " + b"c" * HALF + b"\r\n\r\n", 400),
        (GET + b"Host: localhost\r\nX: " + b"b" * (MAX_HEAD_BYTES - 200) + b"\r\n\r\n", 200),
        (GET + b"Host: localhost\r\n\x00: y\r\n\r\n", 400),
        (b"GET http://localhost HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"hello\r\n\r\n", 400),
        (GET + b"\r\n", 400),
        (GET + b"Host: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    ],
    ids=[
        "address",
        "header",
        "address and header",
        "101 headers",
        "header and trailer",
        "just small enough",
        "NUL",
        "no path",
        "CONNECT",
        "no HTTP",
        "no Host",
        "two Hosts",
        "HTTP/1.0",
    ],
)
async def test_what_is_too_large_or_no_http_is_answered_with_a_problem(
    address: tuple[str, int], sent: bytes, status: int, in_pieces: bool
) -> None:
    size = 20_000 if in_pieces else len(sent)
    answer = await answer_to(address, *(sent[start : start + size] for start in range(0, len(sent), size)))
    assert statuses(answer) == [status]
    assert (b"application/problem+json" in answer) is (status != 200)


@pytest.mark.parametrize(("size", "answered"), [(MAX_HEAD_BYTES - 200, [200, 200]), (MAX_HEAD_BYTES, [])])
async def test_a_request_behind_another_has_the_same_bound(
    address: tuple[str, int], size: int, answered: list[int]
) -> None:
    """Both arrive together. The connection ends before the first is answered."""
    answer = await answer_to(address, OK + GET + b"Host: localhost\r\nX: " + b"a" * size + b"\r\n\r\n")
    assert statuses(answer) == answered


@pytest.mark.parametrize(("size", "status"), [(1, 400), (7, 400), (8, 200), (1000, 200)])
async def test_a_body_in_very_many_tiny_chunks_is_cut_off(address: tuple[str, int], size: int, status: int) -> None:
    """They cost the event loop far more than they weigh: a second for a megabyte, of anybody without a key."""
    start = CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    chunk = b"%x\r\n%b\r\n" % (size, b"a" * size)
    assert statuses(await answer_to(address, start + chunk * 10_000 + b"0\r\n\r\n")) == [status]
    assert statuses(await answer_to(address, start + chunk * 900 + b"0\r\n\r\n")) == [200]


async def test_what_arrived_in_chunks_is_passed_on_whole(address: tuple[str, int]) -> None:
    body = b'{"name":"a","content_urls":["https://documents.example.com/a"]}'
    head = b"POST /v1/batches HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    start = head + b"Transfer-Encoding: chunked\r\n\r\n"
    assert statuses(await answer_to(address, (start + chunks) * 3 + LAST)) == [201, 201, 201, 200]


class Counted(BoundedConnection):
    """The same bounds; chunks are counted over all connections."""

    chunks: ClassVar = 0

    def on_chunk_header(self) -> None:
        super().on_chunk_header()
        Counted.chunks += 1


async def test_others_have_a_turn_between_the_chunks_of_many_bodies(runtime: Runtime) -> None:
    """Without it, forty connections without a key stopped everything else for fifteen seconds."""
    largest, before = 0, Counted.chunks
    async with served(runtime, Counted) as address:
        body = (
            CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            + b"8\r\nxxxxxxxx\r\n" * 40_000
            + b"0\r\n\r\n"
        )
        sending = asyncio.gather(*(answer_to(address, body) for _ in range(4)))
        while not sending.done():
            await asyncio.sleep(0)
            largest, before = max(largest, Counted.chunks - before), Counted.chunks
    assert [statuses(answer) for answer in await sending] == [[200]] * 4
    assert 500 < largest < 4 * 2_000


async def test_a_list_with_a_chunk_for_each_row_is_read_whole(address: tuple[str, int]) -> None:
    """As programs send it that write row by row."""
    rows = [b"number,reference\n", *(b"+493023125%03d,%d\n" % (row % 1000, row) for row in range(9_000))]
    head = b"POST /v1/recipients/dry-run HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(row), row) for row in rows) + b"0\r\n\r\n"
    answer = await answer_to(address, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + LAST)
    assert statuses(answer) == [200, 200]
    assert b'"accepted":1000,' in answer
    assert b'"duplicates":8000,' in answer


UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"


@pytest.mark.parametrize(
    ("headers", "body", "answered"),
    [
        (UPGRADE + b"Content-Length: %d\r\n" % len(OK), OK, [400]),
        (UPGRADE + b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(OK), OK), [400]),
        (b"Upgrade: h2c\r\nContent-Length: %d\r\n" % len(OK), OK + LAST, [200, 200]),
        (b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n" + LAST, [415, 200]),
        (b"Transfer-Encoding: gzip\r\n", b"0\r\n\r\n" + LAST, [400]),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + LAST, [400]),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello" + LAST, [400]),
        (b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n" + LAST, [400]),
        (b"X: a\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + LAST, [400]),
        (b"Transfer-Encoding: chunked\r\n", b"5\nhello\n0\n\n" + LAST, [400]),
        (b"Transfer-Encoding: chunked\r\n", b"5;a\rb\r\nhello\r\n0\r\n\r\n" + LAST, [400]),
        (b"Transfer-Encoding: chunked\r\n", b"0\r\nContent-Length: 50\r\n\r\n" + LAST, [400]),
    ],
)
async def test_a_body_is_never_taken_for_a_request(
    address: tuple[str, int], headers: bytes, body: bytes, answered: list[int]
) -> None:
    """In any way in which a proxy before web could see another end of it."""
    assert statuses(await answer_to(address, POST + headers + b"\r\n", body)) == answered


async def test_a_trailer_is_no_header(address: tuple[str, int]) -> None:
    """Proxies look at headers only."""
    body = b'{"name":"a","content_urls":["https://example.com/a"]}'
    chunks = b"%x\r\n%b\r\n0\r\n" % (len(body), body)
    start = b"POST /v1/batches HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
    for headers, trailers, status in (
        (b"Host: localhost\r\n", b"Origin: https://example.com\r\n", 201),
        (b"", b"Host: localhost\r\n", 400),
    ):
        sent = start + headers + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + trailers + b"\r\n"
        assert statuses(await answer_to(address, sent)) == [status]


async def trickle(writer: asyncio.StreamWriter, piece: bytes) -> None:
    """Send a piece again and again, faster than the server looks."""
    with suppress(ConnectionError):
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("sent", "piece", "status"),
    [
        (b"", b"", []),
        (b"GET / HTTP/1.1\r\nHo", b"", [408]),
        (b"GET / HTTP/1.1\r\nX: ", b"a", [408]),
        (b"\r\n", b"\r\n", [408]),
        (OK, b"\r\n", [200, 408]),
        (POST + b"Content-Length: 1000000\r\n\r\n", b"", [408]),
        (POST + b"Content-Length: 1000000\r\n\r\n", b"a", [408]),
        (CHUNKED, b"1\r\na\r\n", [408]),
        (POST + b"Content-Length: 99999999\r\n\r\n", MEGABYTE[:50_000], [413]),
    ],
    ids=[
        "nothing",
        "half a header",
        "a slow header",
        "blank lines",
        "blank lines after an answer",
        "no body",
        "a slow body",
        "slow chunks",
        "a body that is refused already",
    ],
)
async def test_a_client_that_is_too_slow_is_sent_away(
    quick: tuple[str, int], sent: bytes, piece: bytes, status: list[int]
) -> None:
    async with connected(quick) as (reader, writer):
        writer.write(sent)
        trickling = asyncio.create_task(trickle(writer, piece))
        assert statuses(await read_all(reader)) == status
        trickling.cancel()


async def test_a_body_that_is_fast_enough_may_take_longer_than_the_grace(quick: tuple[str, int]) -> None:
    pieces = 20
    async with connected(quick) as (reader, writer):
        writer.write(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (pieces * 1000))
        for _ in range(pieces):
            writer.write(b"a" * 1000)
            await asyncio.sleep(0.6 / pieces)
        assert statuses(await read_all(reader)) == [200]


#: pieces of a body, each a number of bytes and the seconds after it
@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        ("recipients", ((20, 0.6), (500, 0.6), (500, 0)), 200),
        ("recipients", ((2_000, 0.8), (20, 0.8), (20, 0.8), (20, 0)), 200),
        ("recipients", ((20, 0.5), (20, 0.8)), 408),
        ("recipients", ((2_000, 1.2),), 408),
        ("recipients", ((100_000, 0.8), (20, 0.8), (20, 0.8), (20, 0.8)), 408),
        ("callback", ((1_000, 0.16), (10, 0.16), (10, 0.16), (10, 0)), 200),
        ("callback", ((100_000, 0.25), (10, 0.25), (10, 0.25), (10, 0.25), (10, 0.25)), 408),
        ("callback", ((100_000, 0.6),), 408),
        ("batches", ((10_000, 0.25), (10_000, 0.25), (10_000, 0.25), (10_000, 0.25)), 408),
    ],
    ids=[
        "pauses of a list",
        "pauses of a list that are paid in advance",
        "a slow list",
        "a long pause of a list",
        "a list whose credit is spent",
        "pauses that are paid in advance",
        "a credit that is spent",
        "a long pause",
        "JSON that takes too long",
    ],
)
async def test_what_is_sent_quickly_makes_up_for_pauses(
    quick: tuple[str, int], runtime: Runtime, path: str, sent: tuple[tuple[int, float], ...], status: int
) -> None:
    row = b"fax,note\n+12025550101,"
    size = sum(size for size, _ in sent)
    begun = b"Host: localhost\r\nConnection: close\r\nContent-Type: text/csv\r\n"
    target = {
        "recipients": f"/v1/batches/{await draft(runtime.store)}/recipients",
        "callback": "/callbacks/sinch/incoming",
        "batches": "/v1/batches",
    }[path]
    async with connected(quick) as (reader, writer):
        writer.write(f"POST {target} HTTP/1.1\r\n".encode() + begun)
        writer.write(b"Content-Length: %d\r\n\r\n%b" % (size + len(row) + (status == 408), row))
        answer = asyncio.create_task(read_all(reader))
        for count, pause_s in sent:
            writer.write(b"\n+12025550101,a" * (count // 15) + b"a" * (count % 15))
            await asyncio.wait([answer], timeout=pause_s)
        assert statuses(await answer) == [status]


async def test_the_server_ends_although_clients_go_on(runtime: Runtime) -> None:
    """What has arrived completely is answered; the rows of a list that have arrived are stored."""
    batch = await draft(runtime.store)
    rows = "".join(f"{number(row)}\n" for row in range(5_000))
    start = f"POST /v1/batches/{batch}/recipients HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\n".encode()
    async with AsyncExitStack() as stack:
        async with served(runtime, Quick, stop_s=20) as address:
            opened = [await stack.enter_async_context(connected(address)) for _ in range(3)]
            (_, callback), (_, recipients), _ = opened
            callback.write(POST + b"Content-Length: 9999999\r\n\r\n")
            recipients.write(start + b"Content-Type: text/csv\r\nContent-Length: 999999\r\n\r\nfax\n" + rows.encode())
            trickling = [asyncio.create_task(trickle(writer, b"+12025550101\n" * 2)) for _, writer in opened[:2]]
            reading = [asyncio.create_task(read_all(reader)) for reader, _ in opened]
            await until(lambda: asgi_tasks() == 2)
            began_s = time.monotonic()
        ended_s = time.monotonic() - began_s
        answers = [await answer for answer in reading]
        for task in trickling:
            task.cancel()
    assert [statuses(answer) for answer in answers] == [[503], [503], []]
    assert b"retry-after" in answers[0].lower()
    assert ended_s < 3
    assert (await view_batch(runtime.store, batch)).overview.lines >= 1_000


async def test_a_request_that_has_arrived_is_answered_before_the_end(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(_: object, file: IO[bytes], name: str) -> None:
        await asyncio.sleep(3 * Quick.STOP_S)
        raise Missing(name)

    monkeypatch.setattr(DocumentIntake, "take", check)
    async with AsyncExitStack() as stack:
        async with served(runtime, Quick, stop_s=20) as address:
            reader, writer = await stack.enter_async_context(connected(address))
            writer.write(b"POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\na")
            await until(lambda: asgi_tasks() == 1)
        assert statuses(await read_all(reader)) == [404]


async def test_web_ends_before_its_supervisor_loses_patience(runtime: Runtime) -> None:
    stop_s = server_config(create_app(runtime), runtime.settings).timeout_graceful_shutdown
    assert stop_s is not None
    assert BoundedConnection.STOP_S < stop_s < STOP_TIMEOUT_S


async def test_a_body_that_stalls_frees_what_it_held(quick: tuple[str, int], runtime: Runtime) -> None:
    """The rows that arrived stay stored, as after every broken upload."""
    batch = await draft(runtime.store)
    start = f"POST /v1/batches/{batch}/recipients HTTP/1.1\r\nHost: localhost\r\n".encode()
    async with connected(quick) as (reader, writer):
        writer.write(start + b"Content-Type: text/csv\r\nContent-Length: 9999\r\n\r\nfax\n+12025550101\n")
        assert statuses(await read_all(reader)) == [408]
    assert asgi_tasks() == 0


async def test_a_client_that_reads_no_answer_is_cut_off(runtime: Runtime) -> None:
    """A document of 19 MB is larger than all buffers between. The server closes although nothing was read."""
    content = b"%PDF" + b"\0" * 19_000_000
    info = await runtime.store.documents.put(content, "a.pdf", 1)
    url = document_url("", info.sha256, int(time.time()) + 60, runtime.callback_keys[0])
    async with served(runtime, Quick) as address, connected(address) as (reader, writer):
        writer.write(f"GET {url} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await until(lambda: asgi_tasks() == 1)
        await until(lambda: asgi_tasks() == 0)
        assert len(await read_all(reader)) < len(content) / 2


async def test_the_check_of_a_document_ends_with_its_client(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it runs or waits for its turn: nobody would read the answer."""
    checking, ended = list[bytes](), list[bytes]()

    async def check(_: object, file: IO[bytes], name: str) -> None:
        file.seek(0)
        content = file.read()
        checking.append(content)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(content)

    monkeypatch.setattr(DocumentIntake, "take", check)
    start = b"POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\n"
    async with served(runtime) as address, connected(address) as (_, staying):
        staying.write(start + b"1")
        await until(lambda: checking == [b"1"])
        async with connected(address) as (_, leaving):
            leaving.write(start + b"2")
            await until(lambda: checking == [b"1", b"2"])
        await until(lambda: ended == [b"2"])
    await until(lambda: asgi_tasks() == 0)


def asgi_tasks() -> int:
    """Number of requests that are being answered."""
    return sum("run_asgi" in repr(task.get_coro()) for task in asyncio.all_tasks())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # the server tells nobody
            await asyncio.sleep(0.01)


async def test_idle_connections_make_room_for_new_ones(few: tuple[str, int]) -> None:
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(connected(few)) for _ in range(Few.MAX_CONNECTIONS)]
        for reader, writer in reversed(opened):
            writer.write(OK)
            await reader.readuntil(b"}")
        assert statuses(await answer_to(few, LAST)) == [200]
        assert await read_all(opened[-1][0]) == b""
        opened[0][1].write(LAST)
        assert statuses(await read_all(opened[0][0])) == [200]


async def test_connections_that_are_all_busy_do_not_grow_in_number(few: tuple[str, int]) -> None:
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(connected(few)) for _ in range(Few.MAX_CONNECTIONS)]
        for _, writer in opened:
            writer.write(POST + b"Content-Length: 1000\r\n\r\n")
        await until(lambda: asgi_tasks() == Few.MAX_CONNECTIONS)
        assert statuses(await answer_to(few, LAST)) == [503]
        for _, writer in opened:
            writer.write(b"a" * 1000)
        for reader, _ in opened:
            assert statuses(await reader.readuntil(b"}")) == [200]
        assert statuses(await answer_to(few, LAST)) == [200]
