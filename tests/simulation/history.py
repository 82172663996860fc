"""One history: a site, mailings, a storm of faults, calm; and what has to be true of it in the end."""

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
from dispatcher.local.ledger import Comparison, OurJob, compare
from dispatcher.runtime import Runtime
from dispatcher.service.doctor import examine
from dispatcher.store import codec
from dispatcher.store.batches import UploadChunk
from dispatcher.store.errors import StoreError
from tests.simulation import clock as simulated
from tests.simulation.clock import SimulatedClock
from tests.simulation.engine import Engine, Site
from tests.simulation.faults import ENABLED, Fault, Weather, draw_weather
from tests.simulation.liveness import Mailing, Watch
from tests.simulation.operators import Storm, release, unblock
from tests.simulation.redis_client import Server
from tests.store.fixture import KEYS

_COUNTRIES = ("US", "US", "US", "DE", "FR", "BR")
#: seconds of a storm; in the longest ones sends are written off
_STORMS_S = (*2 * (10.0, 15.0, 15.0, 20.0, 20.0, 30.0, 30.0, 30.0, 60.0, 60.0, 120.0), 600.0)
#: hours of the clock after which every batch has to have ended
_LONGEST_H = 300.0
#: seconds between two visits of people, and looks at whether all is over between them
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _ENDED_LOOKS = 60.0, 1800.0, 10
#: seconds between two looks of a scheduler, in place of those in ``workers/scheduler.py``. A look costs as much as two
#: faxes, and ten seconds leave room for fewer of them; where the rate has to be used fully they do not
SPARSE_LOOKS_S = {"_BUSY_S": 2.0, "_BLOCKED_S": 3.0, "_APART_S": 1.0}
DENSE_LOOKS_S = {"_BUSY_S": 0.5, "_BLOCKED_S": 1.0, "_APART_S": 0.1}
#: lines of its log that a failed history shows
_SHOWN = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a history begins with."""

    seed: int
    site: Site
    weather: Weather
    mailings: Sequence[Mailing]


@dataclass(slots=True, kw_only=True)
class Report:
    """What came of one history."""

    seed: int
    answers: Counter[str] = field(default_factory=Counter)
    jobs: int = 0
    commands: int = 0
    looks: int = 0
    hours: float = 0.0
    #: what is wrong, as sentences
    faults: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @property
    def events(self) -> int:
        """Faults and answers."""
        return sum(self.answers.values())

    @property
    def summary(self) -> str:
        return f"history {self.seed}: {self.jobs} jobs, {self.events} faults and answers in {self.hours:.1f} h"

    def __str__(self) -> str:
        lines = [f"history {self.seed} is wrong:", *self.faults, "its last events:", *self.log[-_SHOWN:]]
        return "\n".join(lines)


def run_history(url: str, seed: int, of: frozenset[Fault] = ENABLED) -> Report:
    """Play the history of that seed with the faults of these classes, in a database of its own."""

    async def play(clock: SimulatedClock) -> Report:
        async with open_history(url, clock, drawn_setup(seed, of)) as history:
            await history.play()
        return history.report

    return simulated.run(play, seed=seed)


@asynccontextmanager
async def open_history(
    url: str, clock: SimulatedClock, setup: Setup, looks_s: Mapping[str, Any] = SPARSE_LOOKS_S
) -> AsyncIterator["History"]:
    """A history before its first event; its report is complete at the end."""
    server = Server(url, clock)
    history = History(server, clock, setup)
    with mock.patch.multiple("workers.scheduler", **looks_s):
        history.engine.start()
        try:
            await asyncio.sleep(1.0)
            yield history
        finally:
            await history.engine.stop()
            history.conclude()
            server.close()


def drawn_setup(seed: int, of: frozenset[Fault]) -> Setup:
    """The setup that follows from the seed, with faults of these classes."""
    chance = Random(f"history {seed}")
    weather = draw_weather(seed, of, storm_s=chance.choice(_STORMS_S))
    return Setup(seed=seed, site=_drawn_site(chance), weather=weather, mailings=tuple(_drawn_mailings(chance)))


def _drawn_site(chance: Random) -> Site:
    return Site(
        rate=chance.choice((10.0, 100.0, 100.0, 300.0)),
        max_in_flight=chance.choice((16, 64, 512)),
        connections=chance.choice((8, 64)),
        workers=chance.choice((1, 2, 2, 3)),
        schedulers=chance.choice((1, 1, 2)),
        public_url="https://fax.example.com" if chance.random() < 0.75 else "",
    )


def _drawn_mailings(chance: Random) -> Iterator[Mailing]:
    numbers = [f"+1{201 + at // 100}55501{at % 100:02d}" for at in chance.sample(range(10_000), 800)]
    first = 0
    for n in range(chance.randint(2, 3)):
        rows = chance.choice((1, 20, 40, 80))
        # some numbers are in two mailings, and only one of them may call at a time
        first = max(0, first - chance.choice((0, 0, 0, 8)))
        recipients = tuple(
            Recipient(line=line, number=number, region=chance.choice(_COUNTRIES))
            for line, number in enumerate(numbers[first : first + rows], start=1)
        )
        first += rows
        yield Mailing(batch=f"b{n}", recipients=recipients)


class History:
    def __init__(self, server: Server, clock: SimulatedClock, setup: Setup) -> None:
        self._chance = Random(f"producer {setup.seed}")
        self._clock = clock
        self._server = server
        self._seed = setup.seed
        self.engine = Engine(server, clock, setup.weather, setup.site, setup.seed)
        self.mailings = list(setup.mailings)
        self.report = Report(seed=setup.seed, jobs=sum(len(one.recipients) for one in self.mailings))
        self._watch = Watch(self.engine, self.mailings)

    async def play(self) -> None:
        """A storm, calm, and the end of all mailings."""
        watching = asyncio.create_task(self._watch.run())
        sending = asyncio.create_task(self.send_all())
        storm = asyncio.create_task(Storm(self.engine, [one.batch for one in self.mailings], self._seed).run())
        await asyncio.sleep(self.engine.weather.storm_s)
        storm.cancel()
        await self.calm(sending)
        if watching.done():
            watching.result()
        watching.cancel()

    async def calm(self, *sending: Awaitable[None]) -> None:
        """Nothing goes wrong any more, also for who is still sending. People set going what waits for them until all
        mailings have ended."""
        self._end_storm()
        await asyncio.gather(*sending)
        await asyncio.sleep(2.0)
        await self._set_going()
        await self._judge(ended=await self._until_all_ended())

    async def ask(self, call: Callable[[Runtime], Awaitable[Any]]) -> Any:
        """Ask web, as often as it takes."""
        while True:
            try:
                return await self.engine.ask_web(call)
            except StoreError:
                await asyncio.sleep(1.0)

    def stay_awake(self) -> None:
        """Pass nothing over from now on, however little happens."""
        self.engine.loop.quiet_s = lambda: 0.0

    def conclude(self) -> None:
        """Sum up what happened."""
        report, engine = self.report, self.engine
        report.hours = self._clock.passed_s / 3600
        report.commands, report.looks = self._server.commands, self._watch.looks
        report.answers = engine.provider.counts + engine.broker.counts + engine.counts
        report.answers[str(Fault.REPLY_LOST)] += engine.network.lost_replies
        report.log = engine.lines

    async def send_all(self) -> None:
        """One mailing at once, the others during the storm."""
        between_s = self.engine.weather.storm_s * 0.8 / len(self.mailings)
        for mailing in self.mailings:
            await self.send(mailing)
            await asyncio.sleep(self._chance.uniform(0.2, 1.0) * between_s)

    async def send(self, mailing: Mailing) -> None:
        """Create a mailing and start it."""
        chance = self._chance
        definition = Definition(
            id=mailing.batch,
            name=mailing.batch,
            created_ms=self._clock.true_ms,
            content_urls=("https://example.com/letter.pdf",),
            priority=chance.choice((Priority.BULK, Priority.BULK, Priority.URGENT)),
            on_partial=chance.choice(("", "stop", "resend")),
            start_at_ms=self._clock.true_ms + 30_000 if chance.random() < 0.1 else 0,
        )
        rows = mailing.recipients
        part = UploadChunk(upload="u", first_line=1, last_line=len(rows), recipients=rows)

        async def create(runtime: Runtime) -> None:
            await runtime.store.batches.create(definition)
            await runtime.store.batches.add_chunk(mailing.batch, part)
            await runtime.store.batches.command(mailing.batch, Command.START)

        await self.ask(create)

    def _end_storm(self) -> None:
        """Who was stopped goes on. What acts of the storm would have ended later, people end."""
        engine = self.engine
        engine.log("weather", "the storm is over")
        engine.weather.over = True
        for member in engine.members:
            if member.process.stopped:
                member.proceed()

    async def _until_all_ended(self) -> bool:
        """People look from time to time, release what is held and resume what is paused."""
        pause_s = _FIRST_PAUSE_S
        while self._clock.passed_s < _LONGEST_H * 3600:
            if await self._ended_within(pause_s):
                return True
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
            await self._set_going()
        return self._all_ended()

    async def _ended_within(self, seconds: float) -> bool:
        """Whether all mailings end; looked at often, since nothing that happens after it is of use."""
        end_s = self._clock.now_s + seconds
        while not self._all_ended():
            if self._clock.now_s >= end_s:
                return False
            await asyncio.sleep(min(seconds / _ENDED_LOOKS, end_s - self._clock.now_s))
        return True

    async def _set_going(self) -> None:
        await self.ask(release)
        await self.ask(unblock)
        self.engine.provider.asked_until_s = self._clock.now_s
        for mailing in self.mailings:
            await self.ask(partial(command, batch=mailing.batch, command=Command.RESUME))

    def _all_ended(self) -> bool:
        found = self._server.call([("HMGET", KEYS.batch(one.batch), "finals", "rows") for one in self.mailings])
        return all(finals == rows for finals, rows in found)

    async def _judge(self, *, ended: bool) -> None:
        report, engine = self.report, self.engine
        report.faults += self._watch.violations[:3] + engine.errors[:5]
        jobs = list(self._jobs())
        if not ended:
            live = [f"{job.id} {job.state}" for job in jobs if not State[job.state.upper()].final]
            report.faults.append(f"these jobs do not end: {live[:10]}")
            return
        report.faults += _told(compare(jobs, engine.provider.ledger()))
        findings = await engine.ask_web(lambda runtime: examine(runtime.store, fix=False, progress=lambda *_: None))
        report.faults += [
            f"doctor: {one.text}" for one in findings if not one.ok and one.check not in ("server settings", "clock")
        ]

    def _jobs(self) -> "Sequence[OurJob]":
        jobs = []
        for mailing in self.mailings:
            (raw,) = self._server.call([("GET", KEYS.block_part(mailing.batch, "records", 0))])
            if raw is None:  # cancelled as a draft, before its recipients came
                continue
            (control,) = self._server.call([("HGET", KEYS.batch(mailing.batch), "control")])
            for row, (record, recipient) in enumerate(zip(codec.split_records(raw), mailing.recipients, strict=True)):
                state = State(record[0])
                if state is State.WAITING and control in (b"cancelled", b"expired"):
                    state = State[control.decode().upper()]
                jobs.append(OurJob(id=f"{mailing.batch}.{row}", number=recipient.number, state=state.label))
        return jobs


async def command(runtime: Runtime, batch: str, command: Command) -> None:
    await runtime.store.batches.command(batch, command)


def _told(found: Comparison) -> list[str]:
    named = {"lost": found.lost, "doubled": found.doubled, "wrong state": found.wrong_state, "of no job": found.strays}
    return [f"{name}: {jobs[:5]}" for name, jobs in named.items() if jobs]
