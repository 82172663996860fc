"""The client of a real server without a socket to wait for: each answer is there in the same step of the loop.

redis-py's verbs and readers of answers stay. What is below them costs a tenth, and nothing depends on when a file
becomes readable. ``TIME`` is the simulated clock, which may be stepped. Keys live as long as ``PX`` says by the
server's own clock: that only cleans up.
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
#: commands after which no list is longer
_READS = frozenset({"EXISTS", "GET", "HGET", "HGETALL", "HMGET", "HVALS", "LLEN", "LPOP", "XLEN", "ZCARD", "ZRANGE"})
#: entries of a stream that one call takes over
_CLAIMED = 100
#: entries that are looked at in all
_PENDING = 10_000


class Server:
    """One connection to the server for all processes of the simulation, which take turns."""

    def __init__(self, url: str, clock: SimulatedClock) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 6379))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader(replyError=_error)
        self._clock = clock
        self._shown_us = -1
        #: by how much the server's clock was set away from the true time
        self.stepped_us = 0
        #: commands so far
        self.commands = 0
        #: those who wait for a list, by its name
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        #: entries of streams that a consumer has, and since when (us)
        self._taken: dict[bytes, int] = {}
        self._exchange([("HELLO", "3"), ("SELECT", parts.path.strip("/") or "0"), ("FLUSHDB",)])
        self.forget_scripts()  # else a history would depend on those that were played before it

    @property
    def us(self) -> int:
        return self._clock.true_us + self.stepped_us

    @property
    def ms(self) -> int:
        return self.us // 1000

    def close(self) -> None:
        self._socket.close()

    def call(self, commands: Sequence[Command]) -> list[Any]:
        """Answers in the order of the commands; what the server refused is an error among them."""
        us, front = self.us, list[Command]()
        self.commands += len(commands)
        if us != self._shown_us:
            s, rest = divmod(us, 1_000_000)
            front = [("HSET", _CLOCK, "s", s, "us", rest)]
            self._shown_us = us
        sent = [command for command in commands if command[0] != "TIME"]
        writes = any(command[0] not in _READS for command in sent)
        waited = [("LLEN", key) for key, waiting in self._waiting.items() if waiting] if writes else []
        answers = self._exchange([*front, *sent, *waited])
        self._wake(waited, answers[len(front) + len(sent) :])
        found = iter(answers[len(front) :])
        time = [b"%d" % part for part in divmod(us, 1_000_000)]
        return [time if command[0] == "TIME" else next(found) for command in commands]

    @contextmanager
    def pushed(self, key: str) -> Iterator["asyncio.Future[None]"]:
        """What is done as soon as the list is not empty."""
        future = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(key, [])
        waiting.append(future)
        try:
            yield future
        finally:
            waiting.remove(future)

    def take(self, entries: Sequence[Sequence[Any]]) -> None:
        """Entries of a stream were given to a consumer."""
        self._taken |= {entry[0]: self.us for entry in entries}

    def left_lying(self, key: str, group: str, idle_ms: int) -> list[bytes]:
        """Entries that were given to a consumer so long ago; for 0 all of them, as the server does."""
        (pending,) = self.call([("XPENDING", key, group, "-", "+", _PENDING)])
        taken = [] if isinstance(pending, Exception) else [entry[0] for entry in pending]
        # those whose consumer never got the answer count from the first look
        self._taken = {entry_id: self._taken.get(entry_id, self.us) for entry_id in taken}
        if not idle_ms:
            return taken
        late_us = self.us - idle_ms * 1000
        return [entry_id for entry_id, taken_us in self._taken.items() if taken_us <= late_us][:_CLAIMED]

    def forget_scripts(self) -> None:
        """What a restart forgets."""
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
    """``CONFIG GET`` and the like are two words."""
    name = command[0]
    return (*name.split(), *command[1:]) if " " in name else command


def _error(text: str) -> Exception:
    error = BaseParser.parse_error(text)  # type: ignore[no-untyped-call]  # redis-py has no type here
    return error if isinstance(error, Exception) else ResponseError(text)


class SimulatedRedis(Redis):
    """redis-py's client above a function that asks the server."""

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
        made = SimulatedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        made.ask, made.server = self._ask, self._server
        return made

    async def _wait_for(self, key: str, seconds: float) -> list[bytes] | None:
        """A command that blocks, without a connection that does."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + seconds
        while True:
            with self._server.pushed(key) as pushed:
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
                self._server.take(entries)
        return answer

    async def _claim(self, key: str, group: str, consumer: str, idle_ms: int) -> Any:
        """Entries that somebody left lying, by the simulated clock."""
        ids = self._server.left_lying(key, group, int(idle_ms))
        if not ids:
            return [b"0-0", [], []]
        (entries,) = await self._ask([("XCLAIM", key, group, consumer, 0, *ids)])
        if isinstance(entries, Exception):
            return entries
        self._server.take(entries)
        return [b"0-0", entries, []]


@cache
def _pool(url: str) -> Any:
    """What a client is made with. Nobody connects through it."""
    return connect(url).connection_pool


def _end(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class SimulatedPipeline(Pipeline):
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


#: hashes of scripts by their verbs
_HASHES: dict[str, str] = {}

_text = cache(text_with_clock)


class SimulatedScripts(Scripts):
    """Scripts whose clock is the simulation's. ``ran`` is called with the verb of each that was run."""

    ran: Callable[[str], None]

    def __init__(self, client: Any, keys: Keys, **more: Any) -> None:
        super().__init__(client, keys, _text, **more)
        self._hashes = _HASHES  # of all processes: the texts are the same

    async def _call(
        self, verb: str, values: Sequence[Argument], options: Mapping[str, Option], wait_s: float
    ) -> tuple[Any, bool]:
        answer = await super()._call(verb, values, options, wait_s)
        self.ran(verb)
        return answer
