"""Two real servers, one of which copies the other, and what a failover makes of them."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import pytest
from redis.asyncio import Redis

from dispatcher.local.errors import ServerNotStarted
from dispatcher.local.redis_server import EmbeddedServer

#: seconds
_PATIENCE_S = 20


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so; a test that waits too long fails."""
    with anyio.fail_after(_PATIENCE_S):
        while True:
            if await is_so():
                return
            await anyio.sleep(0.005)


@dataclass(slots=True, kw_only=True)
class Pair:
    """A master and its replica, with a connection to each that no proxy is in the way of."""

    master: EmbeddedServer
    replica: EmbeddedServer
    at_master: "Redis"
    at_replica: "Redis"

    async def follow(self) -> None:
        """Make the replica copy the master, and wait until it does."""
        await _follow(self.at_replica, self.master)
        await self.in_step()

    async def in_step(self) -> None:
        """Wait until the replica has all that the master has."""
        await until(self._is_in_step)

    async def _is_in_step(self) -> bool:
        copy, origin = await self.at_replica.info("replication"), await self.at_master.info("replication")
        return copy.get("master_link_status") == "up" and copy["slave_repl_offset"] == origin["master_repl_offset"]

    async def cut(self) -> None:
        """Let the replica hear nothing more of its master; what it has, it keeps."""
        await self.at_replica.replicaof("NO", "ONE")

    async def swap(self) -> None:
        """Make the replica the master, and the old master its copy. The old one keeps all connections."""
        await self.at_replica.replicaof("NO", "ONE")
        self.master, self.replica = self.replica, self.master
        self.at_master, self.at_replica = self.at_replica, self.at_master
        await _follow(self.at_replica, self.master)


async def _follow(client: "Redis", server: EmbeddedServer) -> None:
    address = urlsplit(server.url)
    await client.config_set("masterauth", address.password or "")
    await client.replicaof("127.0.0.1", str(address.port))


@asynccontextmanager
async def open_pair(folder: Path) -> AsyncIterator[Pair]:
    """Two empty servers of the test's own with the same password, the second a copy of the first."""
    master, replica = EmbeddedServer(folder / "master"), EmbeddedServer(folder / "replica")
    try:
        await anyio.to_thread.run_sync(master.start)
        replica.data_dir.mkdir()
        shutil.copy(master.data_dir / "access.conf", replica.data_dir)
        await anyio.to_thread.run_sync(replica.start)
    except ServerNotStarted as error:
        pytest.skip(str(error))
    with master, replica:
        async with Redis.from_url(master.url) as at_master, Redis.from_url(replica.url) as at_replica:
            for client in (at_master, at_replica):
                await client.config_set("repl-diskless-sync-delay", 0)  # for more replicas to come, by default 5 s
            pair = Pair(master=master, replica=replica, at_master=at_master, at_replica=at_replica)
            await pair.follow()
            yield pair
