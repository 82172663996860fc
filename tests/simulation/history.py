"""A history: a system sends mailings, first with faults and then without; and the checks of its result."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any
from unittest import mock

from dispatcher.core.batch import Command, Definition, Priority
from dispatcher.core.job import Recipient, State
from dispatcher.core.names import UploadName
from dispatcher.local.ledger import Comparison, OurJob, compare
from dispatcher.runtime import Runtime
from dispatcher.service.doctor import examine
from dispatcher.store import codec
from dispatcher.store.batches import UploadChunk
from dispatcher.store.errors import StoreError
from tests.simulation import clock as simulated_clock
from tests.simulation.clock import SimulatedClock
from tests.simulation.engine import Engine, SystemConfig
from tests.simulation.faults import ENABLED, Fault, FaultSchedule, draw_fault_schedule
from tests.simulation.liveness import LivenessMonitor, Mailing
from tests.simulation.operators import FaultInjector, release, unblock
from tests.simulation.redis_client import Server
from tests.store.fixture import KEYS

_COUNTRIES = ("US", "US", "US", "DE", "FR", "BR")
#: possible lengths of the fault phase in seconds; in the longest, attempts are written off
_FAULT_PHASES_S = (*2 * (10.0, 15.0, 15.0, 20.0, 20.0, 30.0, 30.0, 30.0, 60.0, 60.0, 120.0), 600.0)
#: hours of the clock within which every batch has to end
_MAX_HOURS = 300.0
#: first and longest pause between two actions of operators, and number of checks for the end during a pause
_FIRST_PAUSE_S, _MAX_PAUSE_S, _CHECKS_PER_PAUSE = 60.0, 1800.0, 10
#: seconds between two ticks of a scheduler, in place of those in ``workers/scheduler.py``. A tick takes as much time as
#: two faxes, so histories have few of them. Tests that need the full rate use the dense intervals
SPARSE_INTERVALS_S = {"_BUSY_S": 2.0, "_BLOCKED_S": 3.0, "_MIN_INTERVAL_S": 1.0}
DENSE_INTERVALS_S = {"_BUSY_S": 0.5, "_BLOCKED_S": 1.0, "_MIN_INTERVAL_S": 0.1}
#: lines of the log that the report of a failed history shows
_MAX_SHOWN = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The initial state of a history."""

    seed: int
    config: SystemConfig
    schedule: FaultSchedule
    mailings: Sequence[Mailing]


@dataclass(slots=True, kw_only=True)
class Report:
    """The result of a history."""

    seed: int
    #: faults and answers by name
    counts: Counter[str] = field(default_factory=Counter)
    jobs: int = 0
    commands: int = 0
    checks: int = 0
    hours: float = 0.0
    #: descriptions of what is wrong
    faults: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @property
    def events(self) -> int:
        """The number of faults and answers."""
        return sum(self.counts.values())

    @property
    def summary(self) -> str:
        """One line about the history."""
        return f"history {self.seed}: {self.jobs} jobs, {self.events} faults and answers in {self.hours:.1f} h"

    def __str__(self) -> str:
        lines = [f"history {self.seed} is wrong:", *self.faults, "its last events:", *self.log[-_MAX_SHOWN:]]
        return "\n".join(lines)


def run_history(url: str, seed: int, faults: frozenset[Fault] = ENABLED) -> Report:
    """Play the history of a seed, with faults of some classes, in the database of the URL, which is flushed first."""

    async def play(clock: SimulatedClock) -> Report:
        async with open_history(url, clock, draw_setup(seed, faults)) as history:
            await history.play()
        return history.report

    return simulated_clock.run(play, seed=seed)


@asynccontextmanager
async def open_history(
    url: str, clock: SimulatedClock, setup: Setup, intervals_s: Mapping[str, Any] = SPARSE_INTERVALS_S
) -> AsyncIterator["History"]:
    """Open a history before its first event. Its report is complete when the block ends."""
    server = Server(url, clock)
    history = History(server, clock, setup)
    with mock.patch.multiple("workers.scheduler", **intervals_s):
        history.engine.start()
        try:
            await asyncio.sleep(1.0)
            yield history
        finally:
            await history.engine.stop()
            history.conclude()
            server.close()


def draw_setup(seed: int, faults: frozenset[Fault]) -> Setup:
    """Draw the setup of a seed, with faults of some classes."""
    rng = Random(f"history {seed}")
    schedule = draw_fault_schedule(seed, faults, fault_phase_s=rng.choice(_FAULT_PHASES_S))
    return Setup(seed=seed, config=_draw_config(rng), schedule=schedule, mailings=tuple(_draw_mailings(rng)))


def _draw_config(rng: Random) -> SystemConfig:
    return SystemConfig(
        rate=rng.choice((10.0, 100.0, 100.0, 300.0)),
        max_in_flight=rng.choice((16, 64, 512)),
        connections=rng.choice((8, 64)),
        workers=rng.choice((1, 2, 2, 3)),
        schedulers=rng.choice((1, 1, 2)),
        public_url="https://fax.example.com" if rng.random() < 0.75 else "",
    )


def _draw_mailings(rng: Random) -> Iterator[Mailing]:
    numbers = [f"+1{201 + index // 100}55501{index % 100:02d}" for index in rng.sample(range(10_000), 800)]
    first = 0
    for n in range(rng.randint(2, 3)):
        rows = rng.choice((1, 20, 40, 80))
        # some numbers are in two mailings, and only one mailing at a time may call them
        first = max(0, first - rng.choice((0, 0, 0, 8)))
        recipients = tuple(
            Recipient(line=line, number=number, region=rng.choice(_COUNTRIES))
            for line, number in enumerate(numbers[first : first + rows], start=1)
        )
        first += rows
        yield Mailing(batch=f"b{n}", recipients=recipients)


class History:
    """Plays a history and reports its result."""

    def __init__(self, server: Server, clock: SimulatedClock, setup: Setup) -> None:
        self._rng = Random(f"producer {setup.seed}")
        self._clock = clock
        self._server = server
        self._seed = setup.seed
        self.engine = Engine(server, clock, setup.schedule, setup.config, setup.seed)
        self.mailings = list(setup.mailings)
        self.report = Report(seed=setup.seed, jobs=sum(len(mailing.recipients) for mailing in self.mailings))
        self._monitor = LivenessMonitor(self.engine, self.mailings)

    async def play(self) -> None:
        """Send the mailings while faults occur, then end the faults and wait until all mailings have ended."""
        monitoring = asyncio.create_task(self._monitor.run())
        sending = asyncio.create_task(self.send_all())
        injecting = asyncio.create_task(
            FaultInjector(self.engine, [mailing.batch for mailing in self.mailings], self._seed).run()
        )
        await asyncio.sleep(self.engine.schedule.fault_phase_s)
        injecting.cancel()
        await self.end_faults(sending)
        if monitoring.done():
            monitoring.result()
        monitoring.cancel()

    async def end_faults(self, *sending: Awaitable[None]) -> None:
        """End all faults, wait until all mailings have ended, and check the result.

        Args:
            *sending: Tasks that still send mailings.
        """
        self._end_fault_phase()
        await asyncio.gather(*sending)
        await asyncio.sleep(2.0)
        await self.act_as_operator()
        await self._judge(ended=await self._until_all_ended())

    async def ask(self, call: Callable[[Runtime], Awaitable[Any]]) -> Any:
        """Make a call in the web process, and repeat it until the store answers."""
        while True:
            try:
                return await self.engine.ask_web(call)
            except StoreError:
                await asyncio.sleep(1.0)

    def stay_awake(self) -> None:
        """Stop skipping time, even if nothing happens."""
        self.engine.loop.quiet_s = lambda: 0.0

    def conclude(self) -> None:
        """Complete the report."""
        report, engine = self.report, self.engine
        report.hours = self._clock.passed_s / 3600
        report.commands, report.checks = self._server.commands, self._monitor.checks
        report.counts = engine.provider.counts + engine.broker.counts + engine.counts
        report.counts[str(Fault.REPLY_LOST)] += engine.network.lost_replies
        report.log = engine.lines

    async def send_all(self) -> None:
        """Send the first mailing at once and the others during the fault phase."""
        between_s = self.engine.schedule.fault_phase_s * 0.8 / len(self.mailings)
        for mailing in self.mailings:
            await self.send(mailing)
            await asyncio.sleep(self._rng.uniform(0.2, 1.0) * between_s)

    async def send(self, mailing: Mailing) -> None:
        """Create the batch of a mailing and start it."""
        rng = self._rng
        definition = Definition(
            id=mailing.batch,
            name=mailing.batch,
            created_ms=self._clock.true_ms,
            content_urls=("https://example.com/letter.pdf",),
            priority=rng.choice((Priority.BULK, Priority.BULK, Priority.URGENT)),
            on_partial=rng.choice(("", "stop", "resend")),
            start_at_ms=self._clock.true_ms + 30_000 if rng.random() < 0.1 else 0,
        )
        rows = mailing.recipients
        chunk = UploadChunk(upload=UploadName.of_key("u"), first_line=1, last_line=len(rows), recipients=rows)

        async def create(runtime: Runtime) -> None:
            await runtime.store.batches.create(definition)
            await runtime.store.batches.add_chunk(mailing.batch, chunk)
            await runtime.store.batches.command(mailing.batch, Command.START)

        await self.ask(create)

    def _end_fault_phase(self) -> None:
        """End all faults and resume stopped processes. Operators end what injected actions would have ended later."""
        engine = self.engine
        engine.log("faults", "are over")
        engine.schedule.over = True
        for slot in engine.slots:
            if slot.process.stopped:
                slot.resume()

    async def _until_all_ended(self) -> bool:
        """Act as an operator from time to time until all mailings have ended, and return whether they have."""
        pause_s = _FIRST_PAUSE_S
        while self._clock.passed_s < _MAX_HOURS * 3600:
            if await self._ended_within(pause_s):
                return True
            pause_s = min(pause_s * 1.5, _MAX_PAUSE_S)
            await self.act_as_operator()
        return self._all_ended()

    async def _ended_within(self, seconds: float) -> bool:
        """Return whether all mailings end in time. It checks often, so that the history ends soon after them."""
        end_s = self._clock.now_s + seconds
        while not self._all_ended():
            if self._clock.now_s >= end_s:
                return False
            await asyncio.sleep(min(seconds / _CHECKS_PER_PAUSE, end_s - self._clock.now_s))
        return True

    async def act_as_operator(self) -> None:
        """Release holds, unblock the account, and resume paused batches."""
        await self.ask(release)
        await self.ask(unblock)
        self.engine.provider.pause_until_s = self._clock.now_s
        for mailing in self.mailings:
            await self.ask(partial(command, batch=mailing.batch, command=Command.RESUME))

    def _all_ended(self) -> bool:
        states = self._server.call(
            [("HMGET", KEYS.batch(mailing.batch), "finals", "rows") for mailing in self.mailings]
        )
        return all(finals == rows for finals, rows in states)

    async def _judge(self, *, ended: bool) -> None:
        report, engine = self.report, self.engine
        report.faults += self._monitor.violations[:3] + engine.errors[:5]
        jobs = list(self._jobs())
        if not ended:
            live = [f"{job.id} {job.state}" for job in jobs if not State[job.state.upper()].final]
            report.faults.append(f"these jobs did not end: {live[:10]}")
            return
        report.faults += _describe(compare(jobs, engine.provider.ledger()))
        findings = await engine.ask_web(lambda runtime: examine(runtime.store, fix=False, progress=lambda *_: None))
        report.faults += [
            f"doctor: {finding.text}"
            for finding in findings
            if not finding.ok and finding.check not in ("server settings", "clock")
        ]

    def _jobs(self) -> "Sequence[OurJob]":
        jobs = []
        for mailing in self.mailings:
            (raw,) = self._server.call([("GET", KEYS.of_block(mailing.batch, "records", 0))])
            if raw is None:  # cancelled as a draft, before the upload of its recipients
                continue
            (control,) = self._server.call([("HGET", KEYS.batch(mailing.batch), "control")])
            for row, (record, recipient) in enumerate(zip(codec.split_records(raw), mailing.recipients, strict=True)):
                state = State(record[0])
                if state is State.WAITING and control in (b"cancelled", b"expired"):
                    state = State[control.decode().upper()]
                jobs.append(OurJob(id=f"{mailing.batch}.{row}", number=recipient.number, state=state.label))
        return jobs


async def command(runtime: Runtime, batch: str, command: Command) -> None:
    """Command a batch."""
    await runtime.store.batches.command(batch, command)


def _describe(comparison: Comparison) -> list[str]:
    named = {
        "lost": comparison.lost,
        "doubled": comparison.doubled,
        "wrong state": comparison.wrong_state,
        "faxes without a job": comparison.strays,
    }
    return [f"{name}: {jobs[:5]}" for name, jobs in named.items() if jobs]
