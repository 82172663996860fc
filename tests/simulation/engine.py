"""The whole engine in one process: web, scheduler and workers on the real store, with a provider in memory.

What each of them does is the product's own code, put together by the product's own ``runtime``. Only what it runs on
belongs to the simulation: clock, event loop, chance, the way to Redis, messages, and the provider.
"""

import asyncio
import json
import math
import sys
import traceback
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from random import Random
from typing import Any, NoReturn
from unittest import mock

import structlog
from redis.exceptions import NoScriptError

from dispatcher.core.job import JobId
from dispatcher.core.policy import Policy
from dispatcher.runtime import Runtime, assemble, prepare_account
from dispatcher.service.errors import Forged, Unreadable
from dispatcher.settings import Settings, SinchSettings
from dispatcher.store.dispatch import HORIZON_US
from dispatcher.store.errors import StoreError
from dispatcher.store.keys import Keys
from dispatcher.store.lua import digest
from dispatcher.store.store import Store
from tests.simulation.broker import Broker, Message, Sender
from tests.simulation.clock import SimulatedClock, SimulatedLoop, routine
from tests.simulation.faults import Weather
from tests.simulation.network import Network
from tests.simulation.process import Process, task_factory
from tests.simulation.provider import REDELIVERIES_S, Provider
from tests.simulation.redis_client import Server, SimulatedRedis, SimulatedScripts
from tests.store.fixture import KEYS, text_with_clock
from workers.actors import Actors
from workers.pool import threads_by_queue
from workers.scheduler import SchedulerLoop

POLICY = Policy()
#: messages of each queue that a worker process works at
THREADS = threads_by_queue(24)
#: seconds until a process that ended is started again
_RESTART_S = 1.0
#: scripts after which no more may be sent than before
_LOOKS = frozenset({"next_due", "beat", "register", "reclaim", "finalize", "take_permit", "fetch", "note_list"})
#: lines of the log that are kept
_LINES = 4000
_NEXT_DUE = text_with_clock("next_due")
_NEXT_DUE_HASH = digest(_NEXT_DUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """How the site of one history is set up."""

    rate: float
    max_in_flight: int
    connections: int
    workers: int
    schedulers: int
    #: without it news comes by polling
    public_url: str


class Engine:
    def __init__(self, server: Server, clock: SimulatedClock, weather: Weather, site: Site, seed: int) -> None:
        self.clock = clock
        self.server = server
        self.weather = weather
        self.site = site
        self.chance = Random(f"engine {seed}")
        self.counts: Counter[str] = Counter()
        self.errors: list[str] = []
        self._lines: deque[tuple[object, ...]] = deque(maxlen=_LINES)
        self.network = Network(server, clock, weather, seed)
        self.provider = Provider(clock, weather, seed, self.log)
        self.broker = Broker(weather, seed, self.log)
        # not validated: reading them takes as long as twenty faxes
        sinch = SinchSettings.model_construct(
            rate_per_second=site.rate, max_in_flight=site.max_in_flight, connections=site.connections
        )
        self.settings = Settings.model_construct(
            redis_url="redis://simulated", public_url=site.public_url, allow_unsafe_redis=True, sinch=sinch
        )
        self.workers = [Member(self, f"worker{n}", _serve_worker) for n in range(site.workers)]
        self.schedulers = [Member(self, f"scheduler{n}", _serve_scheduler) for n in range(site.schedulers)]
        self.web = Member(self, "web", _serve_web)
        self.supervisor = Member(self, "supervisor", _serve_web)
        #: set whenever something may have been written
        self.written = asyncio.Event()
        self.broker.take = self._take
        self.provider.deliver = self._deliver

    @property
    def members(self) -> "list[Member]":
        return [*self.workers, *self.schedulers, self.web]

    def report_end(self, worker: "Member", instance: str) -> None:
        """What a supervisor does, unless it ends with its workers."""
        if self.chance.random() < 0.5 and (runtime := self.supervisor.runtime):
            self.supervisor.process.run(_reported(runtime, worker.name, instance))

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        self.loop = loop
        loop.quiet_s = self._quiet_s
        loop.set_task_factory(task_factory)
        loop.set_exception_handler(self._handle)
        structlog.configure(processors=[self._hear], cache_logger_on_first_use=False)
        for member in (*self.members, self.supervisor):
            member.start()

    async def stop(self) -> None:
        for member in (*self.members, self.supervisor):
            member.end()
        await asyncio.sleep(0.1)
        structlog.reset_defaults()

    def log(self, who: str, *words: object) -> None:
        self._lines.append((self.clock.passed_s, who, *words))

    @property
    def lines(self) -> list[str]:
        """The last events, each as a line."""
        return [f"{s:12.3f}  {who:<11} {' '.join(map(str, words))}" for s, who, *words in self._lines]

    async def ask_web(self, call: Callable[[Runtime], Awaitable[Any]]) -> Any:
        """Do something as web does for a caller. Raises StoreError when web is away too."""
        if not self.web.ready or not self.web.process.runs:
            raise StoreError("web is away")
        assert self.web.runtime is not None
        task = self.web.process.run(_called(call, self.web.runtime))
        try:
            return await task
        except asyncio.CancelledError:
            if task.cancelled():
                raise StoreError("web was killed") from None
            raise

    def _take(self, message: Message) -> bool:
        free = [one for one in self.workers if one.has_thread(message.queue)]
        if not free:
            return False
        self.chance.choice(free).work_at(message)
        return True

    def ran(self, verb: str) -> None:
        """A script was run."""
        if verb not in _LOOKS:
            self.written.set()

    def _deliver(self, url: str, body: bytes, tried: int = 0) -> None:
        asyncio.get_running_loop().create_task(self._delivered(url, body, tried), context=Context())

    async def _delivered(self, url: str, body: bytes, tried: int) -> None:
        *_, job, attempt, signature = url.split("/")
        try:
            await self.ask_web(
                lambda runtime: runtime.callback_receiver.receive(
                    job=job,
                    attempt=int(attempt),
                    signature=signature,
                    content_type="application/json",
                    body=_pieces(body),
                )
            )
        except StoreError:
            self.counts["callback not taken"] += 1
            if tried < len(REDELIVERIES_S):
                asyncio.get_running_loop().call_later(
                    REDELIVERIES_S[tried], self._deliver, url, body, tried + 1, context=Context()
                )
        except (Forged, Unreadable) as error:
            self.errors.append(f"a callback of {job} was refused: {error}")

    def _hear(self, _: Any, level: str, event: MutableMapping[str, Any]) -> NoReturn:
        """What the product writes to its log."""
        error = event.pop("exc_info", None)
        if error is True:
            error = sys.exc_info()[1]
        self.log(level, event, error or "")
        if isinstance(error, Exception) and not isinstance(error, StoreError):
            last = traceback.extract_tb(error.__traceback__)[-1]
            self.errors.append(f"{event.get('event')}: {error!r} in {last.filename}:{last.lineno}")
        raise structlog.DropEvent

    def _quiet_s(self) -> float:
        """Seconds until a scheduler has to look, as it would be told now; 0 while anything is leased."""
        unsteady_s = self._unsteady_s()
        wait_ms, leased = self._next_due(looks=unsteady_s <= 0)
        in_s = math.inf if wait_ms < 0 else wait_ms / 1000
        return 0.0 if leased else min(in_s, unsteady_s) if unsteady_s > 0 else in_s

    def _next_due(self, *, looks: bool) -> tuple[int, int]:
        """Asked past the network, which may be away."""
        options = {"horizon_us": HORIZON_US, "looks": looks, "seen_epoch": 0, "worker": ""}
        arguments = (1, KEYS.epoch, json.dumps(options))
        (answer,) = self.server.call([("EVALSHA", _NEXT_DUE_HASH, *arguments)])
        if isinstance(answer, NoScriptError):
            (answer,) = self.server.call([("EVAL", _NEXT_DUE, *arguments)])
        *_, (wait_ms, leased) = answer
        return wait_ms, leased

    def _unsteady_s(self) -> float:
        """Seconds for which every scheduler waits out a step of the clock."""
        seen = [one.runtime.scheduler._reading for one in self.schedulers if one.runtime]
        return min([one.suspended_until_s - self.clock.now_s if one else 0.0 for one in seen], default=0.0)

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, StoreError | asyncio.CancelledError):
            where = "".join(traceback.format_exception(error)[-3:]) if error else ""
            self.errors.append(f"{context.get('message')}: {error!r} {where}")


class Member:
    """A place for a process, in which another one is started when it ends."""

    def __init__(self, engine: Engine, name: str, serve: "Callable[[Member], Awaitable[None]]") -> None:
        self.engine = engine
        self.name = name
        self.process = Process(name)
        self.process.alive = False
        self.runtime: Runtime | None = None
        #: messages that it works at, by queue
        self.busy: Counter[str] = Counter()
        #: since when it has been ready and running without a break; seconds of the clock
        self.since_s = 0.0
        self._serve = serve
        self._over = False

    @property
    def ready(self) -> bool:
        return self.process.alive and self.runtime is not None

    @property
    def up_s(self) -> float:
        """Seconds that it has been ready and running; 0 when it is not."""
        return self.engine.clock.now_s - self.since_s if self.ready and self.process.runs else 0.0

    def has_thread(self, queue: str) -> bool:
        """Whether it takes a message of the queue now."""
        return self.ready and self.process.runs and self.busy[queue] < THREADS[queue]

    def start(self) -> None:
        if self._over:
            return
        self.process = Process(self.name)
        self.process.at_end(self._ended)
        self.runtime, self.busy = None, Counter()
        self.engine.log(self.name, "starts")
        self.process.run(self._run())

    def end(self) -> None:
        self._over = True
        self.process.kill()

    def proceed(self) -> None:
        self.process.proceed()
        self.since_s = self.engine.clock.now_s

    def work_at(self, message: Message) -> None:
        self.busy[message.queue] += 1
        self.process.run(self._work_at(message))

    async def _work_at(self, message: Message) -> None:
        assert self.runtime is not None
        try:
            await _ACTORS[message.actor](self.runtime, *message.arguments)
        except StoreError as error:
            self.engine.log(self.name, message.actor, "breaks off:", error)
        except Exception as error:  # noqa: BLE001  # dramatiq would log it and go on
            self.engine.errors.append(f"{self.name}: {message.actor}: {error!r}")
        finally:
            if self.process.alive:
                self.busy[message.queue] -= 1
                self.engine.broker.hand_out()

    async def _run(self) -> None:
        try:
            while self.runtime is None:
                await self._try_to_open()
            self.since_s = self.engine.clock.now_s
            await self._serve(self)
        except Exception as error:  # a mistake, of the product or of the simulation
            self.engine.errors.append(f"{self.name} ended by itself: {error!r}")
            raise

    async def _try_to_open(self) -> None:
        try:
            self.runtime = await self._open()
        except StoreError as error:
            self.engine.log(self.name, "cannot start:", error)
            await asyncio.sleep(1.0)

    async def _open(self) -> Runtime:
        engine, process = self.engine, self.process
        ask = engine.network.door(process)
        client = SimulatedRedis(engine.settings.redis_url, ask, engine.server)
        with (
            mock.patch("dispatcher.store.store.connect", return_value=client),
            mock.patch("dispatcher.store.store.Scripts", self._scripts),
        ):
            store = Store(engine.settings.redis_url, POLICY, documents_max_bytes=1_000_000)
        return assemble(
            settings=engine.settings,
            policy=POLICY,
            store=store,
            sinch=engine.provider.client(process),
            secrets=await prepare_account(engine.settings, store),
            worker_name=self.name,
        )

    def _scripts(self, client: Any, keys: Keys, **more: Any) -> SimulatedScripts:
        scripts = SimulatedScripts(client, keys, **more)
        scripts.ran = self.engine.ran
        return scripts

    def _ended(self) -> None:
        self.engine.log(self.name, "ends")
        if self in self.engine.workers and self.runtime and not self._over:
            self.engine.report_end(self, self.runtime.presence.instance)
        self.runtime = None
        if not self._over:
            asyncio.get_running_loop().call_later(_RESTART_S, self.start, context=Context())


_ACTORS: dict[str, Callable[..., Awaitable[Any]]] = {
    "submit": lambda runtime, lease: runtime.sender.submit(lease),
    "submit_urgent": lambda runtime, lease: runtime.sender.submit(lease, urgent=True),
    "reconcile": lambda runtime, jobs: runtime.reconciler.reconcile([JobId.parse(job) for job in jobs]),
    "settle_events": lambda runtime: runtime.inbox_consumer.settle_events(),
}


async def _serve_web(member: Member) -> None:
    """It only answers."""


async def _serve_worker(member: Member) -> None:
    assert member.runtime is not None
    with routine():
        member.runtime.presence.start()
    member.engine.broker.hand_out()


async def _serve_scheduler(member: Member) -> None:
    assert member.runtime is not None
    broker = member.engine.broker
    actors = Actors(
        submit=Sender(broker, "bulk", "submit"),  # type: ignore[arg-type]  # all that is asked of an actor
        submit_urgent=Sender(broker, "urgent", "submit_urgent"),  # type: ignore[arg-type]
        reconcile=Sender(broker, "looks", "reconcile"),  # type: ignore[arg-type]
        settle_events=Sender(broker, "news", "settle_events"),  # type: ignore[arg-type]
    )
    with routine():
        asyncio.get_running_loop().create_task(member.runtime.recovery.run())
    await SchedulerLoop(member.runtime, actors, broker).run()  # type: ignore[arg-type]  # all that is asked of queues


async def _reported(runtime: Runtime, name: str, instance: str) -> None:
    with suppress(StoreError):
        await runtime.store.workers.report_end(name, instance)


async def _called(call: Callable[[Runtime], Awaitable[Any]], runtime: Runtime) -> Any:
    return await call(runtime)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    yield body
