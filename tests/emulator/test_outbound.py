"""The HTTP client for callbacks: responses of every framing, and receivers that misbehave."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dispatcher.emulator.outbound import OutboundClient, OutboundResponse, UnreachableError, target

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def respond_with(*answers: bytes, close: bool = True) -> Handler:
    """Return a connection handler that sends one response per request, then closes the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        await writer.drain()
        if not close:
            await reader.read()

    return handle


async def request_from(handle: Handler, times: int = 1, **options: int) -> tuple[list[OutboundResponse], int]:
    """Send ``times`` requests to a server with this handler; return the responses and the number of connections."""
    connections: list[asyncio.Task[None] | None] = []

    async def handle_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        try:
            await handle(reader, writer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(handle_connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = OutboundClient(connections=4, **options)
    async with server:
        try:
            answers = [await client.request("GET", f"http://127.0.0.1:{port}/x", timeout_s=2.0) for _ in range(times)]
        finally:
            client.close()
            await asyncio.gather(*filter(None, connections), return_exceptions=True)
    return answers, len(connections)


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    "answer",
    [
        LENGTH,
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH,
    ],
)
def test_an_answer_of_any_framing_is_understood(answer: bytes) -> None:
    answers, _ = asyncio.run(request_from(respond_with(answer)))
    assert answers == [OutboundResponse(status=200, body=b"ok", content_type="text/plain")]


def test_a_connection_is_used_again() -> None:
    answers, connections = asyncio.run(request_from(respond_with(LENGTH, LENGTH, close=False), times=2))
    assert ([answer.status for answer in answers], connections) == ([200, 200], 1)


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced() -> None:
    answers, connections = asyncio.run(request_from(respond_with(LENGTH), times=3))
    assert ([answer.status for answer in answers], connections) == ([200, 200, 200], 3)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0 hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_no_http_answer_is_unreachable(answer: bytes) -> None:
    with pytest.raises(UnreachableError):
        asyncio.run(request_from(respond_with(answer)))


def test_a_response_that_is_too_large_is_refused() -> None:
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + bytes(100)
    with pytest.raises(UnreachableError, match="too large"):
        asyncio.run(request_from(respond_with(large), max_body=50))


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "path"),
    [
        ("http://example.com", "example.com", 80, False, "/"),
        ("https://u:p@example.com/a?b=c", "example.com", 443, True, "/a?b=c"),
        ("http://[::1]:81?x", "::1", 81, False, "/?x"),
    ],
)
def test_a_url_is_parsed(url: str, host: str, port: int, tls: bool, path: str) -> None:
    parsed = target(url)
    assert (parsed.host, parsed.port, parsed.tls, parsed.path) == (host, port, tls, path)
