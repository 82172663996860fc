"""Random histories, lived by the store and by its model at once."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from math import inf
from unittest.mock import patch

from dispatcher.core.batch import COMMAND_TRANSITIONS, Command, CommandRefusal, Control, Definition, Priority
from dispatcher.core.batch_change import changed_fields, makes_version
from dispatcher.core.dead_numbers import CallEnd, figures
from dispatcher.core.job import (
    REVISION_MODULUS,
    AttemptOutcome,
    FailureCode,
    FailureCounters,
    HistoryEntry,
    JobId,
    Record,
    State,
)
from dispatcher.core.limits.allowance import Period
from dispatcher.core.limits.rate import RateState
from dispatcher.core.reference.holding import Answered
from dispatcher.core.suppressions import Suppression, SuppressionSource
from dispatcher.store.changes import NewDefinition
from dispatcher.store.dispatch import Candidate, EndedCall, JobHold, Lease, SendReport, StoredTransition, new_call
from dispatcher.store.protocol import LONGEST_SLEEP_S, CreateStatus
from dispatcher.store.rate_limiter import _READ_HORIZON_US as READ_HORIZON_US
from tests.store import snapshot
from tests.store.fixture import KEYS, RATE, StoreFixture, number, upload_chunk
from tests.store.model import FLYING, Batch, Held, Model
from tests.store.transitions import TransitionCheck

#: few numbers, so that they meet over batches and within one
NUMBERS = 60
#: a wait of several of these is longer than a lease and any delay, one is shorter than most; once the clock is set back
MOMENTS_MS = (0, 1, 20, 300, 300, 1_000, 1_000, 2_500, 2_500, 11_000, 31_000, -4_000)
WORKERS = ("w0", "w1")
#: few, so that a hold meets many rows; some numbers are of no country that is known
COUNTRIES = ("US", "US", "GB", "001", "")
CATEGORIES = ("busy", "no_answer", "bad_number")
#: how a send ended
REPORTS = (
    None,
    SendReport(answered=True),
    SendReport(failed=True, unclear=True),
    SendReport(failed=True, unclear=True, status="302"),
)


class RandomHistory:
    """One random history. Each step is asked of both, and both must answer the same.

    In a ``crashing`` walk most leases end with the worker that fetched them. A ``lossy`` one is one in which calls are
    repeated below it, so that an answer may tell of the repetition: then only what is stored is compared.
    """

    def __init__(self, db: StoreFixture, seed: int, *, lossy: bool = False, crashing: bool = False) -> None:
        self.db = db
        self.crashing = crashing
        self.lossy = lossy
        self.dice = random.Random(seed)
        # few sends and little time are enough to hold the provider
        self.policy = replace(
            db.policy,
            unclear_sends=10,
            unclear_share=0.3,
            lists_fail_s=3.0,
            dead_life_s=20.0,
            dead_calls=20,
            dead_share=0.2,
            dead_area_numbers=4,
            dead_area_s=10.0,
        )
        self.model = Model(policy=self.policy, pace=RateState(ceiling=RATE, rate=RATE), us=db.us)
        #: with the holds that each was given to probe
        self.leases: list[tuple[Lease, Mapping[str, Held]]] = []
        self.max_strikes = 0
        #: instance of each worker
        self.instances: dict[str, str] = {}
        #: worker, instance and room that the scripts speak for
        self.speaker: tuple[str, str, int] | None = None
        self.numbers: dict[JobId, str] = {}
        #: raises when a script changes a state in a way that the table does not have
        self.transitions = TransitionCheck(db)

    async def live(self, steps: int) -> None:
        """Four batches, two workers and so many steps; all that is stored is compared after each."""
        with patch.object(self.db.scripts, "_call", self.transitions.call):
            await self._live(steps)

    async def _live(self, steps: int) -> None:
        await self.db.client.delete(KEYS.workers)
        self.speak_as(None)
        for name in WORKERS:
            await self.start_worker(name)
        for name in ("a", "b", "c", "d"):
            await self.create(name)
        for name in ("a", "b", "c"):
            await self.command(self.model.batches[name], Command.START)
        done: list[str] = []
        for _ in range(steps):
            done.append(await self._step())
            self.model.tell_of_thresholds()
            stored = await snapshot.of_store(self.db)
            modelled = snapshot.of_model(self.model)
            assert stored == modelled, {k: (stored[k], modelled[k]) for k in stored if stored[k] != modelled[k]}
            assert snapshot.wrong_places(stored) == [], done

    async def _step(self) -> str:
        verbs: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (2, self.add_part),
            (6, self.any_command),
            (2, self.end_draft),
            (3, self.delete),
            (18, self.claim),
            (14, self.fetch),
            (14, self.begin),
            (20, self.settle),
            (12, self.reap),
            (8, self.end_worker),
            (8, self.beat),
            (4, self.drain),
            (3, self.take),
            (1, self.slow_down),
            (1, self.set_limits),
            (5, self.hold),
            (4, self.probe),
            (4, self.strike),
            (10, self.check_provider),
            (6, self.note_list),
            (4, self.forbid),
            (5, self.change),
            (6, self.release),
            (3, self.suppress),
            (3, self.unsuppress),
            (20, self.wait),
        ]
        if self.crashing:
            often = [(30, self.claim), (30, self.crash), (20, self.wait)]
            left_out = (self.any_command, self.end_draft, self.change, self.hold, self.forbid, self.suppress)
            verbs = [*often, *((2, verb) for _, verb in verbs if verb not in left_out)]
        chosen = self.dice.choices([verb for _, verb in verbs], [weight for weight, _ in verbs])[0]
        async with self._scheduler_asleep(chosen):
            # reads and settlements are a worker's, and each says that it lives
            workers = chosen in (self.fetch, self.begin, self.settle, self.take)
            self.speak_as(self.dice.choice(WORKERS) if workers else None)
            await chosen()
            self.speak_as(None)
        return chosen.__name__

    @asynccontextmanager
    async def _scheduler_asleep(self, verb: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """A scheduler that sleeps meanwhile is woken when something is due earlier than it knew.

        Not by what schedulers do themselves, nor by the time that passes.
        """
        wakes = self.db.wakes
        await self.db.client.delete(KEYS.wake)
        before = await wakes.next_due()
        yield
        after = await wakes.next_due()
        own = (self.claim, self.probe, self.reap, self.crash, self.drain, self.wait, self.set_limits)
        if verb in own or before.in_s == 0:
            return
        known_s = min(inf if before.in_s is None else before.in_s, LONGEST_SLEEP_S)
        if after.in_s is not None and after.in_s < known_s:
            assert await self.db.client.exists(KEYS.wake), f"{verb.__name__}: {before} {after}"

    def speak_as(self, name: str | None) -> None:
        """The scripts that follow are those of that worker."""
        self.speaker = (name, self.instances[name], self.dice.choice((0, 7))) if name else None
        self.db.scripts.worker = lambda: " ".join(map(str, self.speaker)) if self.speaker else ""

    def heard(self) -> bool:
        """A script was run."""
        return self.model.renew(*self.speaker) if self.speaker else True

    async def start_worker(self, name: str) -> None:
        """The first of that name, or the next one."""
        self.instances[name] = f"i{self.dice.randrange(10**6)}"
        await self.db.workers.register(name, self.instances[name], room=5)
        self.model.register(name, self.instances[name], 5)

    async def end_worker(self) -> None:
        """It is replaced, its end is reported, it ends by its own will, or a second late report of its end comes."""
        name, way = self.dice.choice(WORKERS), self.dice.choice(("replaced", "reported", "signed off", "late"))
        if way == "replaced":
            await self.start_worker(name)
        elif way == "signed off":
            await self.db.workers.sign_off(name, self.instances[name])
            self.model.sign_off(name, self.instances[name])
        else:
            instance = self.instances[name] if way == "reported" else "another"
            await self.db.workers.report_end(name, instance)
            self.model.report_end(name, instance)

    async def crash(self) -> None:
        """A worker fetches what is announced and ends."""
        self.speak_as(self.dice.choice(WORKERS))
        for lease, _ in self.leases:
            await self._fetch(lease)
        self.leases.clear()
        assert self.speaker
        name = self.speaker[0]
        self.speak_as(None)
        await self.start_worker(name)
        await self.reap()
        records = [record for batch in self.model.batches.values() for record in batch.records.values()]
        self.max_strikes = max([self.max_strikes, *(record.strikes for record in records)])

    async def beat(self) -> None:
        name, room = self.dice.choice(WORKERS), self.dice.choice((0, 3))
        instance = self.dice.choice((self.instances[name], self.instances[name], "another"))
        answer = await self.db.workers.beat(name, instance, room=room)
        self.agree(answer, self.model.renew(name, instance, room))
        self.instances[name] = self.model.workers[name].instance

    def agree(self, answer: object, expected: object) -> None:
        assert self.lossy or answer == expected

    async def create(self, name: str) -> None:
        dice, ms = self.dice, self.db.ms
        batch = Batch(
            id=name,
            priority=dice.choice(("bulk", "bulk", "urgent")),
            weight=dice.choice((1, 1, 2, 5)),
            start_at_ms=dice.choice((0, 0, ms + 3_000)),
            deadline_ms=dice.choice((0, 0, ms + 400_000)),
            documents=dice.choice(((), ("d0c",), ("d0c", "d1c"))),
            ignores_dead_numbers=dice.random() < 0.2,
            job_events=name in "ac",
        )
        definition = Definition(
            id=name,
            name=name,
            created_ms=ms,
            priority=Priority(batch.priority),
            weight=batch.weight,
            start_at_ms=batch.start_at_ms,
            deadline_ms=batch.deadline_ms,
            documents=batch.documents,
            ignore_dead_numbers=batch.ignores_dead_numbers,
            job_events=batch.job_events,
        )
        for sha256 in batch.documents:
            await self.db.client.hset(KEYS.documents, sha256, 1)
        self.agree(await self.db.batches.create(definition), CreateStatus.CREATED)
        batch.changed_ms = ms
        self.model.batches[name] = batch
        await self._fill(batch)

    async def add_part(self) -> None:
        batch = self._batch()
        if batch.control is Control.DRAFT:
            await self._fill(batch)
        else:
            answer = await self.db.batches.add_chunk(batch.id, upload_chunk([number(0)], upload="late"))
            assert answer.status == "closed"

    async def _fill(self, batch: Batch) -> None:
        numbers = [number(self.dice.randrange(NUMBERS)) for _ in range(self.dice.randint(1, 40))]
        countries = [self.dice.choice(COUNTRIES) for _ in numbers]
        chunk = upload_chunk(numbers, upload=f"part{batch.blocks}", regions=countries, checked=True)
        answer = await self.db.batches.add_chunk(batch.id, chunk)
        first = batch.blocks * 1000
        self.agree(list(answer.duplicates), self.model.add_part(batch, numbers, countries))
        self.numbers |= {JobId(batch.id, first + index): number for index, number in enumerate(numbers)}

    async def any_command(self) -> None:
        commands = [command for command in Command if command is not Command.DELETE]
        command = self.dice.choice((*commands, *[Command.START, Command.RESUME] * 3))
        await self.command(self._batch(), command)

    async def end_draft(self) -> None:
        """Whether it has not changed for long enough is decided by the script."""
        batch, end = self._batch(), self.dice.choice((Control.EXPIRED, Control.CANCELLED))
        unchanged_ms = self.dice.choice((0, 2_000, 60_000))
        answer = await self.db.batches.end_draft(batch.id, end, unchanged_ms=unchanged_ms)
        self.agree(answer, self.model.end_draft(batch, end, unchanged_ms))

    async def delete(self) -> None:
        """Only a batch that has ended can be deleted. Its keys are removed, and another one takes its place."""
        ended = [batch for batch in self.model.batches.values() if batch.finished_ms]
        batch = self.dice.choice(ended) if ended and self.dice.random() < 0.8 else self._batch()
        answer = await self.db.batches.command(batch.id, Command.DELETE)
        assert answer is not None
        refusal = self.model.delete(batch)
        assert answer.refusal is refusal
        if refusal is not None:
            return
        if self.dice.random() < 0.8:
            await self.remove_rows()
        name = f"n{len(self.model.deleted)}"
        await self.create(name)
        await self.command(self.model.batches[name], Command.START)

    async def remove_rows(self) -> None:
        """Remove the keys of all batches that were deleted."""
        while (await self.db.deletions.remove_rows()).left:
            pass
        left = [key.decode() async for key in self.db.client.scan_iter(match=f"{KEYS.prefix}batch:*", count=1000)]
        batches = {key.removeprefix(KEYS.batch("")).partition(":")[0] for key in left}
        assert batches == self.model.batches.keys()

    async def command(self, batch: Batch, command: Command) -> None:
        target = COMMAND_TRANSITIONS.get((batch.control, command))
        answer = await self.db.batches.command(batch.id, command)
        assert answer is not None
        at_once = command is Command.START_NOW
        refusal = self.model.control(batch, target, at_once=at_once) if target else CommandRefusal.NOT_ALLOWED
        assert answer.refusal is refusal
        assert answer.control is batch.control
        assert answer.in_flight == sum(record.state is State.SENDING for record in batch.records.values())

    async def claim(self) -> None:
        priority, max_jobs = self.dice.choice(("bulk", "urgent")), self.dice.choice((1, 3, 10, 32))
        ahead, in_flight = self.dice.choice((5, 40, 1000)), self.dice.choice((20, 1000))
        lease = await self.db.claim(priority, max_jobs, ahead, in_flight)
        lease_id, lease_number = (lease.id, lease.number) if lease else ("", 0)
        jobs, probed = self.model.claim(priority, lease_id, lease_number, max_jobs, ahead, in_flight)
        assert (list(lease.jobs), lease.probes.keys()) == (jobs, probed.keys()) if lease else not jobs
        if lease:
            self.leases.append((lease, probed))
            batches = {job.batch: self.model.batches[job.batch] for job in lease.jobs}
            assert lease.tags == {name: batch.tag for name, batch in batches.items() if batch.tag}

    async def fetch(self) -> None:
        if self.leases:
            await self._fetch(self.dice.choice(self.leases)[0])

    async def _fetch(self, lease: Lease) -> None:
        assert self.speaker
        fetched = await self.db.dispatch.fetch(lease.id)
        self.heard()
        mine = self.model.fetch(lease.id, self.speaker[:2])
        assert fetched == (lease if mine else None)

    async def begin(self, index: int | None = None) -> None:
        if not self.leases:
            return
        lease, probed = self.leases.pop(self.dice.randrange(len(self.leases)) if index is None else index)
        candidates = [
            Candidate(
                job=job,
                number_hash=self.numbers[job][1:],
                number=self.numbers[job],
                tag=lease.tags.get(job.batch, ""),
            )
            for job in lease.jobs
        ]
        max_in_flight = self.dice.choice((3, 1000, 1000))
        call = new_call()
        answer = await self.db.dispatch.begin(lease, candidates, max_in_flight=max_in_flight, call=call)
        self.heard()
        words = self.model.begin(lease.id, lease.number, probed, candidates, max_in_flight, call)
        assert [begun.word for begun in answer.jobs] == words
        assert answer.rate_epoch == self.model.pace.epoch
        if self.dice.random() < 0.2:
            self.leases.append((lease, probed))  # told twice

    async def settle(self) -> None:
        sent = [*self.model.sent_as_probes, *self._movable()]
        jobs = {*sent[:1], *self.dice.sample(sent, min(len(sent), self.dice.randint(1, 6)))}
        changes = [self._change(job) for job in jobs]
        answers = await self.db.dispatch.settle(changes)
        self.heard()
        for change, answer in zip(changes, answers, strict=True):
            current = self.model.batches[change.job.batch].records[change.job.row]
            if change.old != current:
                assert answer == (None if change.new == current else current)
                continue
            self.agree(answer, None)
            self.model.settle(change)
            if change.send:
                self._count_send(f"{change.job}/{change.attempt}", change.send)

    def _count_send(self, attempt: str, send: SendReport) -> None:
        self.model.sends += 1
        if send.unclear:
            self.model.unclear[attempt] = self.model.sends
        if send.failed:
            self.model.failures[f"{attempt} {send.status}"] = self.model.sends
        elif send.answered:
            self.model.answered = Answered(self.model.ms, self.model.sends)

    def _movable(self) -> list[JobId]:
        return [
            JobId(batch.id, row)
            for batch in self.model.batches.values()
            for row, record in batch.jobs.items()
            if record.attempt and not record.state.final
        ]

    def _change(self, job: JobId) -> StoredTransition:
        dice, old = self.dice, self.model.batches[job.batch].records[job.row]
        if dice.random() < 0.15:
            return StoredTransition(
                job=job, old=replace(old, lookups=old.lookups + 1), new=replace(old, state=State.FAILED)
            )
        state = dice.choice((State.WAITING, State.ACCEPTED, old.state, State.DELIVERED, State.FAILED))
        new = self._moved(old, state)
        evidence = state is old.state
        if old.state is State.SENDING and dice.random() < 0.3:
            # its answer was unclear, or it was looked for in vain
            evidence, state, new = False, old.state, replace(old, unclear=True, lookups=min(3, old.lookups + 1))
        entry = HistoryEntry(
            attempt=old.attempt, at_ms=self.db.ms, outcome=AttemptOutcome.LATE, fax_id=str(dice.random())
        )
        return StoredTransition(
            job=job,
            old=old,
            new=replace(old, history_revision=(old.history_revision + 1) % REVISION_MODULUS) if evidence else new,
            next_ms=None if evidence else self.db.ms + dice.choice((0, 500, 60_000)),
            history=entry if evidence or dice.random() < 0.5 else None,
            hold=JobHold(category="config", cause="why")
            if not evidence and state is State.WAITING and dice.random() < 0.2
            else None,
            rest_s=dice.choice((0.0, 3600.0)) if state not in FLYING and not evidence else None,
            attempt=old.attempt,
            spent=1,
            pages=dice.choice((0, 0, 3)),
            costs=dice.choice(({}, {}, {"USD": 4_500}, {"EUR": 1, "USD": 2**32})),
            disproves=frozenset(dice.choice(((), ("provider", "auth"), ("provider", "auth", "funds")))),
            send=dice.choice(REPORTS),
            call=self._call(job),
        )

    def _call(self, job: JobId) -> EndedCall | None:
        """A call of the job has ended, or none has."""
        end = self.dice.choice((None, None, CallEnd.DELIVERED, CallEnd.FAILED, CallEnd.DEAD, CallEnd.DEAD))
        if end is None:
            return None
        number = "" if end is CallEnd.FAILED else self.numbers[job]
        return EndedCall(end=end, number=number, figures=figures(self.policy) if end is CallEnd.DEAD else {})

    async def suppress(self) -> None:
        """Some numbers are put on the do-not-fax list, or edited."""
        entries = [
            Suppression(
                number=number(self.dice.randrange(NUMBERS)),
                source=self.dice.choice(
                    (SuppressionSource.MANUAL, SuppressionSource.DEAD_NUMBER, SuppressionSource.IMPORT)
                ),
                expires_ms=self.dice.choice((0, self.db.ms + 5_000)),
            )
            for _ in range(3)
        ]
        listed, now_ms = dict(self.model.suppressions), self.model.ms
        before = {number for number, entry in listed.items() if entry.is_active(now_ms)}
        added = await self.db.suppressions.put(entries)
        self.agree(added, len({entry.number for entry in entries} - before))
        self.model.suppressions |= {
            entry.number: entry
            for entry in entries
            if entry.number not in listed or entry.replaces(listed[entry.number], now_ms)
        }

    async def unsuppress(self) -> None:
        """People take numbers off the list, and what has expired is forgotten."""
        numbers = sorted({number(self.dice.randrange(NUMBERS)) for _ in range(20)})
        source, batch = self.dice.choice(("", SuppressionSource.DEAD_NUMBER)), self.dice.choice(("", self._batch().id))
        suppressions = self.model.suppressions
        mine = [
            name
            for name in suppressions.keys() & set(numbers)
            if source in ("", suppressions[name].source) and batch in ("", suppressions[name].job.partition(".")[0])
        ]
        self.agree(await self.db.suppressions.remove(numbers, source=source, batch=batch), len(mine))
        for name in mine:
            del suppressions[name]
        ended = [
            name
            for name, entry in suppressions.items()
            if entry.source is not SuppressionSource.DEAD_NUMBER and not entry.is_active(self.db.ms)
        ]
        self.agree(await self.db.suppressions.forget(), len(ended))
        for name in ended:
            del suppressions[name]

    async def reap(self) -> None:
        reaped = await self.db.dispatch.reclaim(max_jobs=500, again_s=30)
        announce = {lease for _, lease in reaped.announce}
        worked = reaped.given_back, reaped.held, reaped.unclear, reaped.workers
        answer = (*worked, announce, set(reaped.look_at))
        self.agree(answer, self.model.reap(30_000))

    async def drain(self) -> None:
        self.agree(await self.db.dispatch.finalize(), self.model.drain())

    async def take(self) -> None:
        if self.lossy:
            return  # a repeated call takes another permit
        permit = await self.db.limiter.take_permit()
        self.heard()
        slot, again = self.model.take(READ_HORIZON_US)
        assert permit.granted is (slot is not None)
        assert permit.wait_s == max(0, (again if slot is None else slot) - self.db.us) / 1_000_000

    async def slow_down(self) -> None:
        epoch = max(0, self.model.pace.epoch - self.dice.choice((0, 0, 1)))
        wait_s, chance = self.dice.choice((None, 0.0, 0.5, 3.0)), self.dice.random()
        until_s = await self.db.limiter.slow_down(epoch, wait_s, chance)
        self.model.slow_down(epoch, wait_s, chance)
        assert until_s == self.model.pace.blocked_until_us / 1_000_000

    async def set_limits(self) -> None:
        limits = {
            Period.SECOND: self.dice.choice((7.3, 100.0, 400.0)),
            self.dice.choice((Period.MINUTE, Period.DAY)): self.dice.choice((0, 9, 40)),
        }
        await self.db.limiter.set_by_operator(limits)
        self.model.set_limits(limits)

    async def hold(self) -> None:
        jobs = [f"job:{job}" for job in self._movable()[:1]]
        countries = ("country:US", "country:US", "country:US", "country:001")
        scopes = ["account", "provider", *countries, f"batch:{self._batch().id}", "document:d0c", *jobs]
        scope = self.dice.choice(scopes)
        probes_s = (1.0, 2.0, 60.0) if scope in ("account", "provider") and self.dice.random() < 0.8 else ()
        category = self.dice.choice(("auth", "funds"))
        fresh = await self.db.holds.open(scope, category, "why", probes_s=probes_s)
        self.agree(fresh, self.model.hold(scope, category, [int(seconds * 1000) for seconds in probes_s]))

    async def probe(self) -> None:
        """Send a probe of the account or the provider, if there is anything to send."""
        if not self.model.holds.keys() & {"account", "provider"}:
            await self.db.holds.open("account", "funds", "why", probes_s=(1.0, 2.0))
            self.model.hold("account", "funds", [1000, 2000])
        await self._pass_ms(2_500)
        await self.claim()
        await self.begin(-1)

    async def strike(self) -> None:
        scope = self.dice.choice((f"batch:{self._batch().id}", "document:d0c", "document:d1c"))
        attempt = f"a.{self.dice.randrange(9)}/1"
        answer = await self.db.holds.count_failure(scope, 3, attempt=attempt, within_s=60)
        self.agree(answer, self.model.strike(scope, 3, attempt, 60_000))

    async def check_provider(self) -> None:
        self.agree(await self.db.holds.check_provider(self.policy), self.model.check_provider())

    async def forbid(self) -> None:
        scope = self.dice.choice(("country:US", "country:GB", "country:FR", "country:DE"))
        countries, sends = self.dice.choice(((3, 5), (2, 20)))
        answer = await self.db.holds.count_forbidden_country(scope, countries=countries, sends=sends)
        assert answer is self.model.forbid(scope, countries, sends)

    async def note_list(self) -> None:
        readable = self.dice.random() < 0.2
        answer = await self.db.holds.note_list(self.policy, readable=readable)
        self.agree(answer, self.model.note_list(readable=readable))

    async def release(self) -> None:
        scope = self.dice.choice([*self.model.holds, "country:FR"])
        self.agree(await self.db.holds.release(scope), self.model.release(scope))

    async def change(self) -> None:
        """Somebody changes what a batch sends, or when."""
        dice, batch = self.dice, self._batch()
        before = await self.db.changes.read(batch.id)
        assert before
        definition = before.definition
        deadlines_ms = (0, self.db.ms + 300_000, self.db.ms - 1)
        after: Definition = dice.choice(
            (
                replace(definition, weight=dice.choice((1, 2, 5))),
                replace(definition, priority=dice.choice((*Priority,))),
                replace(definition, deadline_ms=dice.choice(deadlines_ms)),
                replace(definition, name=f"{dice.random()}"),
                *[replace(definition, documents=dice.choice(((), ("d0c",), ("d1c", "d0c"), ("d1c",))))] * 2,
                *[replace(definition, options=replace(definition.options, sender=number(dice.randrange(9))))] * 4,
            )
        )
        fields = changed_fields(definition, after)
        if not fields:
            return
        for sha256 in after.documents:
            await self.db.client.hset(KEYS.documents, sha256, 1)
        if makes_version(fields):
            after = replace(after, version=definition.version + 1, tag=f"{dice.random()}")
        new = NewDefinition(
            definition=after,
            fields=frozenset(fields),
            of_draft=batch.control is Control.DRAFT,
            ended=frozenset(dice.choice(((), ("funds",), ("funds", "auth")))),
        )
        dry_run = dice.random() < 0.1
        answer = await self.db.changes.apply(before, new, is_dry_run=dry_run)
        refusal, ended = self.model.change(batch, new, dry_run=dry_run)
        assert answer.refusal is refusal
        self.agree(answer.ended, ended)
        records = [record.state for record in batch.records.values()]
        assert (answer.sending, answer.accepted) == (records.count(State.SENDING), records.count(State.ACCEPTED))

    async def wait(self) -> None:
        await self._pass_ms(self.dice.choice(MOMENTS_MS))

    async def _pass_ms(self, ms: int) -> None:
        await self.db.pass_ms(ms)
        self.model.us = self.db.us

    def _batch(self) -> Batch:
        return self.dice.choice(list(self.model.batches.values()))

    def _moved(self, old: Record, state: State) -> Record:
        dice, failed = self.dice, state in (State.WAITING, State.FAILED)
        delivered = state is State.DELIVERED
        return replace(
            old,
            state=state,
            lease=0,
            strikes=0 if delivered else old.strikes,
            price=dice.randrange(2**32) if delivered else 0,
            currency=dice.choice(("", "USD", "EUR")) if delivered else "",
            failure=FailureCode(
                category=dice.choice(CATEGORIES) if failed else "",
                error_type="LINE_ERROR" if failed else "",
                error_code=dice.randrange(100),
            ),
            counters=FailureCounters(dials=dice.randrange(5)),
            lookups=dice.randrange(5),
            doubled=dice.random() < 0.2,
            unclear=dice.random() < 0.2,
            force_fine=dice.random() < 0.2,
            pages_sent=dice.randrange(3),
            pages_total=dice.randrange(300),
            changed_ms=self.db.ms,
            fax_id=f"01{dice.randrange(10**9)}",
        )
