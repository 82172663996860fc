"""The whole system in one process: web, schedulers and workers on a real store, with a provider in memory.

The processes run production code that ``dispatcher.runtime`` assembles. The simulation replaces what it runs on: clock,
event loop, random numbers, the connection to Redis, the broker and the provider.
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
from dispatcher.core.policy.policy import Policy
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
from tests.simulation.faults import FaultSchedule
from tests.simulation.network import Network
from tests.simulation.process import Process, task_factory
from tests.simulation.provider import REDELIVERIES_S, Provider
from tests.simulation.redis_client import Server, SimulatedRedis, SimulatedScripts
from tests.store.fixture import KEYS, text_with_clock
from workers.actors import Actors
from workers.pool import threads_by_queue
from workers.scheduler import SchedulerLoop

POLICY = Policy()
#: threads of a worker process for each queue
THREADS = threads_by_queue(24)
#: seconds until a process that has ended is restarted
_RESTART_S = 1.0
#: scripts that cannot make a job sendable
_READ_ONLY = frozenset({"next_due", "beat", "register", "reclaim", "finalize", "take_permit", "fetch", "note_list"})
#: maximum lines of the log
_MAX_LINES = 4000
_NEXT_DUE = text_with_clock("next_due")
_NEXT_DUE_HASH = digest(_NEXT_DUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemConfig:
    """The configuration of the system in one history."""

    rate: float
    max_in_flight: int
    connections: int
    workers: int
    schedulers: int
    #: if empty, results are polled
    public_url: str


class Engine:
    """The simulated system: its processes, Redis, broker, provider and network."""

    def __init__(
        self, server: Server, clock: SimulatedClock, schedule: FaultSchedule, config: SystemConfig, seed: int
    ) -> None:
        self.clock = clock
        self.server = server
        self.schedule = schedule
        self.config = config
        self.rng = Random(f"engine {seed}")
        self.counts: Counter[str] = Counter()
        #: whether callbacks may be such that they have to be refused
        self.refuses_callbacks = False
        self.errors: list[str] = []
        self._lines: deque[tuple[object, ...]] = deque(maxlen=_MAX_LINES)
        self.network = Network(server, clock, schedule, seed)
        self.provider = Provider(clock, schedule, seed, self.log)
        self.broker = Broker(schedule, seed, self.log)
        # not validated: validation takes as long as twenty faxes
        sinch = SinchSettings.model_construct(
            rate_per_second=config.rate, max_in_flight=config.max_in_flight, connections=config.connections
        )
        self.settings = Settings.model_construct(
            redis_url="redis://simulated", public_url=config.public_url, allow_unsafe_redis=True, sinch=sinch
        )
        self.workers = [ProcessSlot(self, f"worker{n}", _serve_worker) for n in range(config.workers)]
        self.schedulers = [ProcessSlot(self, f"scheduler{n}", _serve_scheduler) for n in range(config.schedulers)]
        self.web = ProcessSlot(self, "web", _serve_web)
        self.supervisor = ProcessSlot(self, "supervisor", _serve_web)
        #: set whenever Redis may have changed
        self.written = asyncio.Event()
        self.broker.take = self._take
        self.provider.deliver = self._deliver

    @property
    def slots(self) -> "list[ProcessSlot]":
        """All processes except the supervisor."""
        return [*self.workers, *self.schedulers, self.web]

    def report_end(self, worker: "ProcessSlot", instance: str) -> None:
        """Report the end of a worker as its supervisor does, or not, as if the supervisor had ended with it."""
        if self.rng.random() < 0.5 and (runtime := self.supervisor.runtime):
            self.supervisor.process.run(_report_end(runtime, worker.name, instance))

    def start(self) -> None:
        """Start all processes."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        self.loop = loop
        loop.quiet_s = self._quiet_s
        loop.set_task_factory(task_factory)
        loop.set_exception_handler(self._handle)
        structlog.configure(processors=[self._capture_log], cache_logger_on_first_use=False)
        for slot in (*self.slots, self.supervisor):
            slot.start()

    async def stop(self) -> None:
        """End all processes."""
        for slot in (*self.slots, self.supervisor):
            slot.end()
        await asyncio.sleep(0.1)
        structlog.reset_defaults()

    def log(self, source: str, *words: object) -> None:
        """Add a line to the log."""
        self._lines.append((self.clock.passed_s, source, *words))

    @property
    def lines(self) -> list[str]:
        """The last lines of the log."""
        return [f"{s:12.3f}  {source:<11} {' '.join(map(str, words))}" for s, source, *words in self._lines]

    async def ask_web(self, call: Callable[[Runtime], Awaitable[Any]]) -> Any:
        """Make a call in the web process.

        Raises:
            StoreError: The store or the web process is not available.
        """
        if not self.web.ready or not self.web.process.runs:
            raise StoreError("web is not running")
        assert self.web.runtime is not None
        task = self.web.process.run(_call(call, self.web.runtime))
        try:
            return await task
        except asyncio.CancelledError:
            if task.cancelled():
                raise StoreError("web was killed") from None
            raise

    def _take(self, message: Message) -> bool:
        free = [worker for worker in self.workers if worker.has_thread(message.queue)]
        if not free:
            return False
        self.rng.choice(free).process_message(message)
        return True

    def script_ran(self, verb: str) -> None:
        """Note that a script was run."""
        if verb not in _READ_ONLY:
            self.written.set()

    def _deliver(self, url: str, body: bytes, attempt_index: int = 0) -> None:
        asyncio.get_running_loop().create_task(self._deliver_callback(url, body, attempt_index), context=Context())

    async def _deliver_callback(self, url: str, body: bytes, attempt_index: int) -> None:
        *_, job, attempt, signature = url.split("/")
        try:
            await self.ask_web(
                lambda runtime: runtime.callback_receiver.receive(
                    job=job,
                    attempt=int(attempt),
                    signature=signature,
                    content_type="application/json",
                    body=_chunks(body),
                )
            )
        except StoreError:
            self.counts["callback not taken"] += 1
            if attempt_index < len(REDELIVERIES_S):
                asyncio.get_running_loop().call_later(
                    REDELIVERIES_S[attempt_index], self._deliver, url, body, attempt_index + 1, context=Context()
                )
        except (Forged, Unreadable) as error:
            if self.refuses_callbacks and isinstance(error, Unreadable):
                self.counts["callback refused"] += 1
                return
            self.errors.append(f"a callback of {job} was refused: {error}")

    def _capture_log(self, _: Any, level: str, event: MutableMapping[str, Any]) -> NoReturn:
        """Add a log event of production code to the log, and note unexpected errors."""
        error = event.pop("exc_info", None)
        if error is True:
            error = sys.exc_info()[1]
        self.log(level, event, error or "")
        if isinstance(error, Exception) and not isinstance(error, StoreError):
            last = traceback.extract_tb(error.__traceback__)[-1]
            self.errors.append(f"{event.get('event')}: {error!r} in {last.filename}:{last.lineno}")
        raise structlog.DropEvent

    def _quiet_s(self) -> float:
        """Return the seconds until a scheduler has work to do; 0 while a job is leased."""
        suspended_s = self._suspended_s()
        wait_ms, leased = self._next_due(in_flight=suspended_s <= 0)
        in_s = math.inf if wait_ms < 0 else wait_ms / 1000
        return 0.0 if leased else min(in_s, suspended_s) if suspended_s > 0 else in_s

    def _next_due(self, *, in_flight: bool) -> tuple[int, int]:
        """Run ``next_due`` directly, because the network may be down."""
        options = {"horizon_us": HORIZON_US, "in_flight": in_flight, "seen_epoch": 0, "worker": ""}
        arguments = (1, KEYS.epoch, json.dumps(options))
        (answer,) = self.server.call([("EVALSHA", _NEXT_DUE_HASH, *arguments)])
        if isinstance(answer, NoScriptError):
            (answer,) = self.server.call([("EVAL", _NEXT_DUE, *arguments)])
        *_, (wait_ms, leased) = answer
        return wait_ms, leased

    def _suspended_s(self) -> float:
        """Return the seconds for which all schedulers are suspended after a step of the clock."""
        seen = [slot.runtime.scheduler._reading for slot in self.schedulers if slot.runtime]
        return min([step.suspended_until_s - self.clock.now_s if step else 0.0 for step in seen], default=0.0)

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, StoreError | asyncio.CancelledError):
            where = "".join(traceback.format_exception(error)[-3:]) if error else ""
            self.errors.append(f"{context.get('message')}: {error!r} {where}")


class ProcessSlot:
    """A place for a process. When the process ends, another is started in its place."""

    def __init__(self, engine: Engine, name: str, serve: "Callable[[ProcessSlot], Awaitable[None]]") -> None:
        self.engine = engine
        self.name = name
        self.process = Process(name)
        self.process.alive = False
        self.runtime: Runtime | None = None
        #: messages in progress, by queue
        self.busy: Counter[str] = Counter()
        #: time of the clock since which the process has been running without interruption, in seconds
        self.since_s = 0.0
        self._serve = serve
        self._over = False

    @property
    def ready(self) -> bool:
        """Whether the process has started."""
        return self.process.alive and self.runtime is not None

    @property
    def up_s(self) -> float:
        """Seconds for which the process has been running; 0 if it is not."""
        return self.engine.clock.now_s - self.since_s if self.ready and self.process.runs else 0.0

    def has_thread(self, queue: str) -> bool:
        """Return whether a thread is free for a message of the queue."""
        return self.ready and self.process.runs and self.busy[queue] < THREADS[queue]

    def start(self) -> None:
        """Start a process, unless ``end`` was called."""
        if self._over:
            return
        self.process = Process(self.name)
        self.process.on_end(self._ended)
        self.runtime, self.busy = None, Counter()
        self.engine.log(self.name, "starts")
        self.process.run(self._run())

    def end(self) -> None:
        """Kill the process, and start no other."""
        self._over = True
        self.process.kill()

    def resume(self) -> None:
        """Resume a stopped process."""
        self.process.resume()
        self.since_s = self.engine.clock.now_s

    def process_message(self, message: Message) -> None:
        """Process a message in the worker."""
        self.busy[message.queue] += 1
        self.process.run(self._process_message(message))

    async def _process_message(self, message: Message) -> None:
        assert self.runtime is not None
        try:
            await _ACTORS[message.actor](self.runtime, *message.arguments)
        except StoreError as error:
            self.engine.log(self.name, message.actor, "stops:", error)
        except Exception as error:  # noqa: BLE001  # dramatiq logs it and continues
            self.engine.errors.append(f"{self.name}: {message.actor}: {error!r}")
        finally:
            if self.process.alive:
                self.busy[message.queue] -= 1
                self.engine.broker.deliver_messages()

    async def _run(self) -> None:
        try:
            while self.runtime is None:
                await self._try_to_open()
            self.since_s = self.engine.clock.now_s
            await self._serve(self)
        except Exception as error:  # a bug, in production code or in the simulation
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
        ask = engine.network.connect(process)
        client = SimulatedRedis(engine.settings.redis_url, ask, engine.server)
        with (
            mock.patch("dispatcher.store.store.connect", return_value=client),
            mock.patch("dispatcher.store.store.Scripts", self._scripts),
        ):
            store = Store(engine.settings.redis_url, POLICY, documents_max_bytes=1_000_000, durability=None)
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
        scripts.on_run = self.engine.script_ran
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


async def _serve_web(slot: ProcessSlot) -> None:
    """Web only serves requests."""


async def _serve_worker(slot: ProcessSlot) -> None:
    assert slot.runtime is not None
    with routine():
        slot.runtime.presence.start()
    slot.engine.broker.deliver_messages()


async def _serve_scheduler(slot: ProcessSlot) -> None:
    assert slot.runtime is not None
    broker = slot.engine.broker
    actors = Actors(
        submit=Sender(broker, "bulk", "submit"),  # type: ignore[arg-type]  # the part of an actor that is used
        submit_urgent=Sender(broker, "urgent", "submit_urgent"),  # type: ignore[arg-type]
        reconcile=Sender(broker, "lookups", "reconcile"),  # type: ignore[arg-type]
        settle_events=Sender(broker, "callbacks", "settle_events"),  # type: ignore[arg-type]
    )
    with routine():
        asyncio.get_running_loop().create_task(slot.runtime.recovery.run())
    await SchedulerLoop(slot.runtime, actors, broker).run()  # type: ignore[arg-type]  # the part of the queues that is used


async def _report_end(runtime: Runtime, name: str, instance: str) -> None:
    with suppress(StoreError):
        await runtime.store.workers.report_end(name, instance)


async def _call(call: Callable[[Runtime], Awaitable[Any]], runtime: Runtime) -> Any:
    return await call(runtime)


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    yield body
