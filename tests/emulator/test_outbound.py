"""The small HTTP client behind callbacks: answers of every framing, and receivers that misbehave."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dispatcher.emulator.outbound import Answer, Outbound, UnreachableError, target

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def saying(*answers: bytes, close: bool = True) -> Talk:
    """A server that answers one request after the other on a connection, then closes it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        await writer.drain()
        if not close:
            await reader.read()

    return talk


async def asked(talk: Talk, times: int = 1, **options: int) -> tuple[list[Answer], int]:
    """Ask a server that talks like this so many times: the answers, and connections made."""
    talks: list[asyncio.Task[None] | None] = []

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())
        try:
            await talk(reader, writer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = Outbound(connections=4, **options)
    async with server:
        try:
            answers = [await client.request("GET", f"http://127.0.0.1:{port}/x", timeout_s=2.0) for _ in range(times)]
        finally:
            client.close()
            await asyncio.gather(*filter(None, talks), return_exceptions=True)
    return answers, len(talks)


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
    answers, _ = asyncio.run(asked(saying(answer)))
    assert answers == [Answer(status=200, body=b"ok", content_type="text/plain")]


def test_a_connection_is_used_again() -> None:
    answers, made = asyncio.run(asked(saying(LENGTH, LENGTH, close=False), times=2))
    assert ([answer.status for answer in answers], made) == ([200, 200], 1)


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced() -> None:
    answers, made = asyncio.run(asked(saying(LENGTH), times=3))
    assert ([answer.status for answer in answers], made) == ([200, 200, 200], 3)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0 hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_no_http_answer_is_unreachable(answer: bytes) -> None:
    with pytest.raises(UnreachableError):
        asyncio.run(asked(saying(answer)))


def test_an_answer_that_is_too_large_is_given_up() -> None:
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + bytes(100)
    with pytest.raises(UnreachableError, match="too large"):
        asyncio.run(asked(saying(large), max_body=50))


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "path"),
    [
        ("http://example.com", "example.com", 80, False, "/"),
        ("https://u:p@example.com/a?b=c", "example.com", 443, True, "/a?b=c"),
        ("http://[::1]:81?x", "::1", 81, False, "/?x"),
    ],
)
def test_a_url_is_taken_apart(url: str, host: str, port: int, tls: bool, path: str) -> None:
    to = target(url)
    assert (to.host, to.port, to.tls, to.path) == (host, port, tls, path)
