"""A client of a real Redis server that blocks instead of waiting, so that every reply is there at once.

It keeps the commands and the parsers of redis-py. What it replaces costs a tenth, and nothing depends on when a socket
becomes readable. ``TIME`` returns the simulated clock, which may be stepped. Keys with ``PX`` expire by the server's
own clock, which only cleans up.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import hiredis
from redis._parsers import BaseParser
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError

from dispatcher.store.client import connect
from dispatcher.store.keys import Keys
from dispatcher.store.lua import Argument, Option, Scripts
from tests.simulation.clock import SimulatedClock, routine
from tests.store.fixture import text_with_clock

Command = tuple[Any, ...]
Ask = Callable[[Sequence[Command]], Awaitable[list[Any]]]

_CLOCK = "test:clock"
_READ_BYTES = 1 << 16
#: commands that cannot push to a list
_READ_ONLY = frozenset(
    {"EXISTS", "GET", "HGET", "HGETALL", "HMGET", "HVALS", "LLEN", "LPOP", "XLEN", "ZCARD", "ZRANGE"}
)
#: maximum stream entries that a call claims
_MAX_CLAIMED = 100
#: maximum pending stream entries that are read
_MAX_PENDING = 10_000


class Server:
    """One connection to Redis, which all simulated processes share."""

    def __init__(self, url: str, clock: SimulatedClock) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 6379))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader(replyError=_error)
        self._clock = clock
        self._sent_us = -1
        #: difference of the server's clock to the true time in microseconds
        self.clock_offset_us = 0
        #: number of commands sent
        self.commands = 0
        #: futures that wait for a push, by the name of the list
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        #: time at which a stream entry was claimed, by its id, in microseconds
        self._claimed_us: dict[bytes, int] = {}
        login = ("AUTH", "default", parts.password) if parts.password else ()
        self._exchange([("HELLO", "3", *login), ("SELECT", parts.path.strip("/") or "0"), ("FLUSHDB",)])
        self.flush_scripts()  # otherwise a history would depend on those before it

    @property
    def us(self) -> int:
        """The server's clock in microseconds since 1970."""
        return self._clock.true_us + self.clock_offset_us

    @property
    def ms(self) -> int:
        """The server's clock in milliseconds since 1970."""
        return self.us // 1000

    def close(self) -> None:
        self._socket.close()

    def call(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands, and return their replies in the same order. Errors are returned, not raised."""
        us, front = self.us, list[Command]()
        self.commands += len(commands)
        if us != self._sent_us:
            s, rest = divmod(us, 1_000_000)
            front = [("HSET", _CLOCK, "s", s, "us", rest)]
            self._sent_us = us
        sent = [command for command in commands if command[0] != "TIME"]
        writes = any(command[0] not in _READ_ONLY for command in sent)
        waited = [("LLEN", key) for key, waiting in self._waiting.items() if waiting] if writes else []
        answers = self._exchange([*front, *sent, *waited])
        self._wake(waited, answers[len(front) + len(sent) :])
        replies = iter(answers[len(front) :])
        time = [b"%d" % part for part in divmod(us, 1_000_000)]
        return [time if command[0] == "TIME" else next(replies) for command in commands]

    @contextmanager
    def await_push(self, key: str) -> Iterator["asyncio.Future[None]"]:
        """Yield a future that is done as soon as the list is not empty."""
        future = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(key, [])
        waiting.append(future)
        try:
            yield future
        finally:
            waiting.remove(future)

    def mark_claimed(self, entries: Sequence[Sequence[Any]]) -> None:
        """Note that stream entries were given to a consumer."""
        self._claimed_us |= {entry[0]: self.us for entry in entries}

    def idle_entries(self, key: str, group: str, idle_ms: int) -> list[bytes]:
        """Return the stream entries that have been pending for at least ``idle_ms``; for 0 all, as the server does."""
        (pending,) = self.call([("XPENDING", key, group, "-", "+", _MAX_PENDING)])
        pending_ids = [] if isinstance(pending, Exception) else [entry[0] for entry in pending]
        # entries whose consumer never got the reply count from the first check
        self._claimed_us = {entry_id: self._claimed_us.get(entry_id, self.us) for entry_id in pending_ids}
        if not idle_ms:
            return pending_ids
        late_us = self.us - idle_ms * 1000
        return [entry_id for entry_id, claimed_us in self._claimed_us.items() if claimed_us <= late_us][:_MAX_CLAIMED]

    def flush_scripts(self) -> None:
        """Flush the cached scripts, as a restart does."""
        self._exchange([("SCRIPT", "FLUSH")])

    def _wake(self, waited: Sequence[Command], lengths: Sequence[int]) -> None:
        for (_, key), length in zip(waited, lengths, strict=True):
            for future in self._waiting[key] if length else ():
                if not future.done():
                    future.set_result(None)

    def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        if not commands:
            return []
        self._socket.sendall(b"".join([hiredis.pack_command(_words(command)) for command in commands]))
        answers, gets = [], self._reader.gets
        for _ in commands:
            while (answer := gets()) is False:
                self._reader.feed(self._socket.recv(_READ_BYTES))
            answers.append(answer)
        return answers


def _words(command: Command) -> Command:
    """Split commands of two words such as ``CONFIG GET``."""
    name = command[0]
    return (*name.split(), *command[1:]) if " " in name else command


def _error(text: str) -> Exception:
    error = BaseParser.parse_error(text)  # type: ignore[no-untyped-call]  # redis-py has no type here
    return error if isinstance(error, Exception) else ResponseError(text)


class SimulatedRedis(Redis):
    """redis-py's client on top of a function that sends commands."""

    def __init__(self, url: str, ask: Ask, server: Server) -> None:
        super().__init__(connection_pool=_pool(url))
        self._ask = ask
        self._server = server

    async def initialize(self) -> "SimulatedRedis":
        return self

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        pass

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        match args[0]:
            case "BLPOP":
                return await self._wait_for(args[1], float(args[2]))
            case "XAUTOCLAIM":
                answer = await self._claim(*args[1:5])
            case "XREADGROUP":
                answer = await self._read_group(args)
            case _:
                (answer,) = await self._ask([args])
        return _read(self, args[0], answer, options)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "SimulatedPipeline":
        pipeline = SimulatedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipeline.ask, pipeline.server = self._ask, self._server
        return pipeline

    async def _wait_for(self, key: str, seconds: float) -> list[bytes] | None:
        """Do what ``BLPOP`` does, without blocking the connection."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + seconds
        while True:
            with self._server.await_push(key) as pushed:
                (popped,) = await self._ask([("LPOP", key)])
                if popped is not None:
                    return [key.encode(), popped]
                with routine():
                    timer = loop.call_at(end_s, _end, pushed)
                await pushed
                timer.cancel()
            if loop.time() >= end_s:
                return None

    async def _read_group(self, args: Command) -> Any:
        (answer,) = await self._ask([args])
        if isinstance(answer, dict):
            for entries in answer.values():
                self._server.mark_claimed(entries)
        return answer

    async def _claim(self, key: str, group: str, consumer: str, idle_ms: int) -> Any:
        """Claim stream entries that are idle by the simulated clock."""
        ids = self._server.idle_entries(key, group, int(idle_ms))
        if not ids:
            return [b"0-0", [], []]
        (entries,) = await self._ask([("XCLAIM", key, group, consumer, 0, *ids)])
        if isinstance(entries, Exception):
            return entries
        self._server.mark_claimed(entries)
        return [b"0-0", entries, []]


@cache
def _pool(url: str) -> Any:
    """Return the connection pool that the constructor needs. No connection is made."""
    return connect(url).connection_pool


def _end(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class SimulatedPipeline(Pipeline):
    """redis-py's pipeline on top of a function that sends commands."""

    ask: Ask
    server: Server

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        stack, self.command_stack = self.command_stack, []
        commands = [args for args, _ in stack]
        if not commands:
            return []
        if self.is_transaction:
            *_, answers = await self.ask([("MULTI",), *commands, ("EXEC",)])
        else:
            answers = await self.ask(commands)
        if isinstance(answers, Exception):
            raise answers
        return [
            _read(self, args[0], answer, dict(options)) for (args, options), answer in zip(stack, answers, strict=True)
        ]


def _read(client: Redis, name: Any, answer: Any, options: dict[str, Any]) -> Any:
    if isinstance(answer, Exception):
        raise answer
    options.pop("keys", None)
    read = client.response_callbacks.get(name)
    return read(answer, **options) if read else answer


#: hashes of scripts by name
_HASHES: dict[str, str] = {}

_text = cache(text_with_clock)


class SimulatedScripts(Scripts):
    """Scripts on the simulated clock. ``on_run`` is called with the name of each script that was run."""

    on_run: Callable[[str], None]

    def __init__(self, client: Any, keys: Keys, **more: Any) -> None:
        super().__init__(client, keys, _text, **more)
        self._hashes = _HASHES  # shared by all processes, because the texts are the same

    async def _call(
        self, verb: str, values: Sequence[Argument], options: Mapping[str, Option], wait_s: float
    ) -> tuple[Any, bool]:
        answer = await super()._call(verb, values, options, wait_s)
        self.on_run(verb)
        return answer
