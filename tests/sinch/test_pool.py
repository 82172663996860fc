import asyncio
from dataclasses import replace

import pytest

from dispatcher.core.outcome import Accepted
from dispatcher.sinch.auth import Basic
from dispatcher.sinch.body import SendGuard
from dispatcher.sinch.client import READ_CONNECTIONS, SinchAccount, make_client
from dispatcher.sinch.http import Call, SinchHttp
from dispatcher.sinch.pool import HttpPool
from dispatcher.sinch.wire import FaxQuery
from tests.sinch.wire_client import ACCEPTED, FAX
from tests.sinch.wire_server import Reader, WireServer, Writer, reply, running_server

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("connections", "calls", "opened"), [(20, 3, 3), (20, 20, 20), (20, 40, 20), (3, 9, 3)])
async def test_as_many_connections_open_as_are_needed_and_no_more(connections: int, calls: int, opened: int) -> None:
    waiting = 0
    full = asyncio.Event()

    async def answers_when_full(server: WireServer, reader: Reader, writer: Writer) -> None:
        nonlocal waiting
        while True:
            await server.read(reader)
            waiting += 1
            if waiting >= opened:
                full.set()
            await full.wait()
            writer.write(reply(200))

    async with running_server(answers_when_full) as server:
        http = SinchHttp(HttpPool(connections), Basic("key", "secret"), server.url, "project")
        call = Call(method="POST", path="/faxes")
        responses = await asyncio.gather(*(http.exchange(call, total_s=20) for _ in range(calls)))
        await http.aclose()
    assert [response.status for response in responses] == [200] * calls
    assert server.connections == opened
    assert len(server.requests) == calls


async def test_a_guard_asks_again_for_each_attempt() -> None:
    calls = []
    guard = SendGuard(lambda: not calls.append(1))  # type: ignore[func-returns-value]
    guard.start()
    guard.start()
    assert len(calls) == 2


async def test_slow_reads_take_no_connection_from_sends() -> None:
    all_read = asyncio.Event()

    async def answers_posts_only(server: WireServer, reader: Reader, writer: Writer) -> None:
        while True:
            if (await server.read(reader)).line.startswith("POST"):
                writer.write(reply(200, ACCEPTED))
            if len(server.requests) == READ_CONNECTIONS:
                all_read.set()

    async with running_server(answers_posts_only) as server:
        account = SinchAccount(project_id="p", key_id="k", key_secret="s", base_url=server.url, auth="basic")
        client = make_client(replace(account, connections=2))
        hanging = [asyncio.create_task(client.list_page(FaxQuery(), 1, total_s=20)) for _ in range(20)]
        await all_read.wait()
        assert isinstance(await client.send(FAX, total_s=5), Accepted)
        assert len(server.requests) == READ_CONNECTIONS + 1
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        await client.aclose()


async def test_connections_trust_the_usual_certificates() -> None:
    """The certificates that aiohttp loads by itself are left out (``quick_aiohttp.py``)."""
    pool = HttpPool()
    assert len(pool._ssl.get_ca_certs()) > 20
    async with pool._session() as session:
        assert session.connector._ssl is pool._ssl  # type: ignore[union-attr]  # of aiohttp
