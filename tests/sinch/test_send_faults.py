"""The outcome of a POST when the network or the provider misbehaves, on real sockets."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from dispatcher.core.outcome import Accepted, NotSent, Refused, SendOutcome, Unclear
from dispatcher.sinch.order import EncodedFile
from tests.sinch.wire_client import ACCEPTED, FAX, client_for
from tests.sinch.wire_server import (
    Behaviour,
    Reader,
    WireServer,
    Writer,
    closed_port,
    reply,
    reset,
    respond_with,
    running_server,
)

pytestmark = pytest.mark.anyio

#: larger than the buffers of both ends of a connection
LARGE = replace(FAX, files=(EncodedFile(file_type="PDF", base64=b"A" * 30_000_000),))


async def send_to(behave: Behaviour, *, total_s: float = 5.0) -> tuple[SendOutcome, WireServer]:
    async with running_server(behave) as server, client_for(server.url) as client:
        return await client.send(FAX, total_s=total_s), server


async def closes_at_once(server: WireServer, reader: Reader, writer: Writer) -> None:
    return


async def closes_after_reading(server: WireServer, reader: Reader, writer: Writer) -> None:
    await server.read(reader)


async def resets_after_reading(server: WireServer, reader: Reader, writer: Writer) -> None:
    await server.read(reader)
    reset(writer)


async def answers_half(server: WireServer, reader: Reader, writer: Writer) -> None:
    await server.read(reader)
    writer.write(reply(200, ACCEPTED)[:-10])


async def sends_invalid_http(server: WireServer, reader: Reader, writer: Writer) -> None:
    await server.read(reader)
    writer.write(b"\x15\x03\x01\x00\x02\x02P and no HTTP at all\r\n\r\n")


async def never_answers(server: WireServer, reader: Reader, writer: Writer) -> None:
    await server.read(reader)
    await asyncio.Event().wait()


async def reads_the_head_only(server: WireServer, reader: Reader, writer: Writer) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.Event().wait()


def trickles(answer: bytes) -> Behaviour:
    async def behave(server: WireServer, reader: Reader, writer: Writer) -> None:
        await server.read(reader)
        for byte in answer:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)  # each read succeeds, but the whole response takes too long

    return behave


@pytest.mark.parametrize(
    "behave", [closes_after_reading, resets_after_reading, answers_half, sends_invalid_http], ids=lambda b: b.__name__
)
async def test_a_connection_lost_after_the_request_is_unclear_and_not_repeated(behave: Behaviour) -> None:
    outcome, server = await send_to(behave)
    assert isinstance(outcome, Unclear)
    assert outcome.status is None
    assert server.connections == 1


async def test_a_connection_that_closes_at_once_is_no_response() -> None:
    outcome, server = await send_to(closes_at_once)
    assert isinstance(outcome, Unclear | NotSent)
    assert server.requests == []


@pytest.mark.parametrize("behave", [never_answers, trickles(reply(200, ACCEPTED))], ids=["silent", "trickle"])
async def test_the_total_time_ends_a_send_without_a_whole_answer(behave: Behaviour) -> None:
    started = time.monotonic()
    outcome, server = await send_to(behave, total_s=1.0)
    assert isinstance(outcome, Unclear)
    assert 0.9 < time.monotonic() - started < 4.0
    assert len(server.requests) == 1


async def test_a_large_body_that_is_not_read_in_time_is_unclear() -> None:
    async with running_server(reads_the_head_only) as server, client_for(server.url) as client:
        assert isinstance(await client.send(LARGE, total_s=0.5), Unclear)


async def test_a_large_document_arrives_whole() -> None:
    fax = replace(FAX, files=(EncodedFile(file_type="PDF", base64=b"A" * 3_000_000),))
    async with running_server(respond_with(reply(200, ACCEPTED))) as server, client_for(server.url) as client:
        assert isinstance(await client.send(fax, total_s=20), Accepted)
    assert len(server.requests[0].body) > 3_000_000
    assert server.requests[0].body.endswith(b'AAAA"}]}')


async def test_a_send_that_may_no_longer_begin_leaves_no_body_behind() -> None:
    async with running_server(respond_with(reply(200, ACCEPTED))) as server, client_for(server.url) as client:
        outcome = await client.send(FAX, total_s=5, may_send=lambda: False)
    assert isinstance(outcome, NotSent)
    assert server.requests == []


async def test_a_refused_connection_is_tried_again_and_then_not_sent() -> None:
    async with client_for(f"http://127.0.0.1:{closed_port()}") as client:
        assert isinstance(await client.send(FAX, total_s=5), NotSent)


async def test_a_tls_failure_is_not_sent() -> None:
    async def greets_in_plain_text(server: WireServer, reader: Reader, writer: Writer) -> None:
        writer.write(b"220 mail.example.org ready\r\n")
        await writer.drain()

    async with running_server(greets_in_plain_text) as server, client_for(f"https://127.0.0.1:{server.port}") as client:
        assert isinstance(await client.send(FAX, total_s=5), NotSent)


async def test_an_unknown_host_is_not_sent() -> None:
    async with client_for("http://no-such-host.invalid") as client:
        assert isinstance(await client.send(FAX, total_s=5), NotSent)


@pytest.mark.parametrize("fault", [httpx.ConnectTimeout, httpx.ConnectError, httpx.PoolTimeout, httpx.ProxyError])
async def test_connecting_that_fails_is_repeated(fault: Callable[[str], Exception]) -> None:
    faults = [fault("once"), fault("twice")]

    async def handle(request: httpx.Request) -> httpx.Response:
        await request.aread()
        return httpx.Response(200, content=ACCEPTED)

    class Failing(httpx.MockTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if faults:
                raise faults.pop()
            return await super().handle_async_request(request)

    async with client_for("http://provider", transport=Failing(handle)) as client:
        assert isinstance(await client.send(FAX, total_s=5), Accepted)


async def test_a_connection_that_the_server_closed_while_idle_is_replaced() -> None:
    async def one_answer_each(server: WireServer, reader: Reader, writer: Writer) -> None:
        await server.read(reader)
        writer.write(reply(200, ACCEPTED))
        await writer.drain()

    async with running_server(one_answer_each) as server, client_for(server.url) as client:
        assert isinstance(await client.send(FAX, total_s=5), Accepted)
        # the close is a FIN without an answer to wait for: give the loop a turn in which to receive it
        await asyncio.sleep(0.05)
        assert isinstance(await client.send(FAX, total_s=5), Accepted)
        assert server.connections == 2


async def test_a_kept_connection_serves_the_next_send() -> None:
    async with running_server(respond_with(reply(200, ACCEPTED))) as server, client_for(server.url) as client:
        for _ in range(3):
            assert isinstance(await client.send(FAX, total_s=5), Accepted)
    assert server.connections == 1


@pytest.mark.parametrize("body", [b"", b"OK", b"[]", b"{}", b'{"id": ""}', b'{"faxes": []}', b"\xff\xfe"])
async def test_an_unreadable_answer_of_success_is_unclear(body: bytes) -> None:
    outcome, _ = await send_to(respond_with(reply(200, body)))
    assert isinstance(outcome, Unclear)
    assert outcome.status == 200


async def test_a_broken_compression_of_an_answer_is_unclear() -> None:
    outcome, _ = await send_to(respond_with(reply(200, b"not gzip", Content_Encoding="gzip")))
    assert isinstance(outcome, Unclear)


@pytest.mark.parametrize("status", [302, 303, 408, 500, 502, 503, 504, 599])
async def test_a_status_that_leaves_it_open_is_unclear_and_not_repeated(status: int) -> None:
    outcome, server = await send_to(respond_with(reply(status, Retry_After="7")))
    assert isinstance(outcome, Unclear)
    assert (outcome.status, outcome.retry_after_s) == (status, 7.0)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 307, 308, 400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 451])
async def test_a_refusal_took_nothing_and_is_not_repeated(status: int) -> None:
    outcome, server = await send_to(respond_with(reply(status)))
    assert isinstance(outcome, Refused)
    assert outcome.status == status
    assert len(server.requests) == 1


async def test_cancelling_a_send_passes_through() -> None:
    async with running_server(never_answers) as server, client_for(server.url) as client:
        sending = asyncio.create_task(client.send(FAX, total_s=30))
        await server.request_received.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
