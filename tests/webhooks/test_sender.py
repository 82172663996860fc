"""Deliveries over real connections: to receivers that lie, and to addresses that must not be called."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from dispatcher.core.webhooks import WebhookAnswer
from dispatcher.webhooks.sender import WebhookSender

pytestmark = pytest.mark.anyio

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def receiver(talk: Talk) -> AsyncIterator[str]:
    """Address of a server that reads the head of each request and then does what it is made for."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await talk(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}/hook"
    finally:
        server.close()


def says(text: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()

    return talk


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A body without end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer after the sender has given up."""
    await asyncio.sleep(0.6)
    await says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(reader, writer)


async def sent(url: str, *, total_s: float = 5.0, private: bool = True, body: bytes = b"{}") -> WebhookAnswer:
    sender = WebhookSender(private_addresses=private, total_s=total_s)
    try:
        return await sender.send(url, body, {"webhook-id": "msg_1"})
    finally:
        await sender.aclose()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("talk", "status", "error"),
    [
        (says(OK), 200, ""),
        (says(b"HTTP/1.1 204 No Content\r\n\r\n"), 204, ""),
        (says(b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno"), 500, "HTTP 500, an error"),
        (says(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"), 302, "HTTP 302, a redirect"),
        (says(b""), 0, "Server disconnected"),
        (says(b"HTTP/1.1 200"), 0, ""),
        (says(b"SSH-2.0-OpenSSH_9.6\r\n"), 0, ""),
        (says(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"), 0, ""),
        (silent, 0, "no answer within 0.4 s"),
        (late, 0, "no answer within 0.4 s"),
        (endless, 200, ""),
    ],
)
async def test_what_a_receiver_does_becomes_an_answer(talk: Talk, status: int, error: str) -> None:
    """Nothing is raised, nothing but the head of the answer is waited for, and a redirect is not followed."""
    began_s = time.monotonic()
    async with receiver(talk) as url:
        answer = await sent(url, total_s=0.4)
    assert answer.status == status
    assert answer.error.startswith(error)
    assert bool(answer.error) is (not answer.ok)
    assert time.monotonic() - began_s < 3


@pytest.mark.parametrize(("text", "wait_s"), [("120", 120.0), ("soon", None), ("-1", None), ("9" * 40, None)])
async def test_the_named_wait_is_read(text: str, wait_s: float | None) -> None:
    async with receiver(says(f"HTTP/1.1 503 Busy\r\nRetry-After: {text}\r\n\r\n".encode())) as url:
        assert (await sent(url)).retry_after_s == wait_s


async def test_a_body_that_is_refused_before_it_was_read_is_too_large() -> None:
    """As servers refuse one whose length they see in the head. They close the connection at once."""
    async with receiver(says(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\n\r\n")) as url:
        assert (await sent(url, body=b"x" * 1_000_000)).status == 413


async def test_an_address_where_nobody_listens_is_an_answer() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        answer = await sent(f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert answer.status == 0
    assert "Connect call failed" in answer.error


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::ffff:10.0.0.1]/",
        "https://localhost/",
        "http://example.com/",
    ],
)
async def test_a_private_address_is_not_called(url: str) -> None:
    answer = await sent(url, private=False)
    assert answer.status == 0
    assert answer.error


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Addresses that names resolve to, one list for each time that somebody asks."""
    answers: list[list[str]] = []

    async def resolve(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        return [
            {"hostname": host, "host": address, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
            for address in answers.pop(0)
        ]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    return answers


async def test_a_name_is_judged_by_what_it_resolves_to_for_each_connection(
    resolved: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if it resolves to something else than a moment before. Of several addresses, the public ones are called."""
    called: list[str] = []

    async def connect(*, addr_infos: list[tuple[object, ...]], **_: object) -> socket.socket:
        called.extend(str(info[4]).split("'")[1] for info in addr_infos)
        raise OSError("no network here")

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", connect)
    resolved.extend([["198.51.100.1"], ["8.8.8.8"], ["10.0.0.1"], ["127.0.0.1", "8.8.4.4"], ["169.254.169.254"]])
    sender = WebhookSender(private_addresses=False, total_s=5.0)
    errors = [(await sender.send("https://hooks.example.com/", b"{}", {})).error for _ in range(5)]
    await sender.aclose()
    private = "hooks.example.com resolves to an address of one machine or network"
    assert errors == [private, "no network here", private, "no network here", private]
    assert called == ["8.8.8.8", "8.8.4.4"]


async def test_a_name_that_resolves_to_this_machine_is_called_only_if_a_setting_allows_it() -> None:
    async with receiver(says(OK)) as url:
        assert (await sent(url.replace("127.0.0.1", "localhost"))).ok


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would make connections that nobody has checked."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with receiver(says(OK)) as url:
        assert (await sent(url)).ok
