"""What the scripts ought to do, in plain Python: the reference implementation of random histories.

Fairness and pace come from ``core``; the rest is the design's words turned into dictionaries. Nothing is packed and
nothing is quick.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dispatcher.core.batch import COMMAND_TRANSITIONS, Command, CommandRefusal, Control, Definition
from dispatcher.core.batch_change import ChangeRefusal, change_refusal, makes_version
from dispatcher.core.batch_events import Announced, EventType, Measure, is_power_of_ten, thresholds_crossed
from dispatcher.core.dead_numbers import CallEnd, area_of
from dispatcher.core.job import FailureCode, JobId, Record, State
from dispatcher.core.limits.allowance import Period
from dispatcher.core.limits.holds import ACCOUNT, LISTS_FAIL, PROVIDER
from dispatcher.core.limits.rate import RateState, bounded_wait, next_us
from dispatcher.core.limits.shares import QUANTUM
from dispatcher.core.policy.policy import Policy
from dispatcher.core.progress import LATELY_MS
from dispatcher.core.recovery.places import WATCHED, Place, is_unclear
from dispatcher.core.reference import dead_numbers, fairness, holding, pacing
from dispatcher.core.reference.holding import Answered
from dispatcher.core.reference.pacing import Adaptation
from dispatcher.core.retry.waits import capped_retry_after_s, lookup_spacing_ms, shared_ms
from dispatcher.core.suppressions import Suppression, SuppressionSource
from dispatcher.store.changes import NewDefinition
from dispatcher.store.dispatch import HORIZON_US, NUMBER_LOCK_MS, Candidate, EndedCall, StoredTransition
from dispatcher.store.holds import ListNote
from dispatcher.store.protocol import HELD_SCORE

NEVER_MS = HELD_SCORE
ENDING = {Control.CANCELLED: State.CANCELLED, Control.EXPIRED: State.EXPIRED}
#: rows that come back from a release at a time
UNPARKED = 100
PROBED = {PROVIDER, ACCOUNT}
FLYING = {State.LEASED: Place.LEASED, State.SENDING: Place.SENDING, State.ACCEPTED: Place.ACCEPTED}
#: milliseconds: a silent worker is dead, a step of the registry's clock, a heartbeat that is written again
DEAD_MS, LONGEST_STEP_MS, RENEW_MS, CLOCK_STEP_MS = 3_000, 1_000, 250, 50
#: ages of leases: young, not fetched and announced again, not fetched and taken back
YOUNG_MS, AGAIN_MS, UNFETCHED_MS = 1_000, 2_000, 10_000
#: work ahead in all, strikes of a suspect, when it is looked at again while another one is leased
MAX_AHEAD, SUSPECT, SUSPECT_AGAIN_MS = 4, 2, 250


@dataclass(slots=True)
class Worker:
    instance: str
    heartbeat_ms: int
    room: int


@dataclass(slots=True)
class OpenLease:
    made_ms: int
    announced_ms: int
    left: int
    priority: str
    suspect: bool
    number: int
    jobs: list[JobId]
    #: holds that it was given to probe
    probed: "Mapping[str, Held]"
    #: worker process and instance that fetched it
    holder: tuple[str, str] | None = None


@dataclass(slots=True)
class Claim:
    """What one claim has leased so far."""

    number: int
    room: int
    jobs: list[JobId] = field(default_factory=list)
    full: bool = False
    suspect: bool = False


@dataclass(slots=True)
class Batch:
    id: str
    priority: str
    weight: int
    start_at_ms: int = 0
    deadline_ms: int = 0
    documents: tuple[str, ...] = ()
    control: Control = Control.DRAFT
    #: by row; rows that are no jobs are void, rows between two blocks are missing
    records: dict[int, Record] = field(default_factory=dict)
    numbers: set[str] = field(default_factory=set)
    blocks: int = 0
    cursor: int = 0
    vtime: float = 0.0
    credit: float = 0.0
    due: dict[int, int] = field(default_factory=dict)
    #: country -> rows that wait for the end of its hold
    parked: dict[str, set[int]] = field(default_factory=dict)
    started_ms: int = 0
    finished_ms: int = 0
    #: pages and costs that were added, and the jobs that ended lately: window, jobs, jobs of the window before
    pages_sent: int = 0
    costs: Counter[str] = field(default_factory=Counter)
    lately: tuple[int, int, int] = (0, 0, 0)
    #: as a draft: when it changed last, and when it expired
    changed_ms: int = 0
    draft_ended_ms: int = 0
    ignores_dead_numbers: bool = False
    #: somebody has released its hold for dead numbers
    numbers_accepted: bool = False
    job_events: bool = False
    #: thresholds that producers were told of; None before its start
    announced: Announced | None = None
    #: of the definition, and by which version each attempt of a row was sent
    version: int = 1
    tag: str = ""
    sent_by: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def scopes(self) -> list[str]:
        return [f"batch:{self.id}", *(f"document:{sha256}" for sha256 in self.documents)]

    @property
    def jobs(self) -> dict[int, Record]:
        return {row: record for row, record in self.records.items() if record.state is not State.VOID}

    @property
    def unstarted(self) -> list[int]:
        if self.control in ENDING:
            return []
        return [row for row, record in self.jobs.items() if row >= self.cursor]

    def seen(self, row: int) -> Record:
        """The record as it counts: unstarted rows of an ended batch have ended."""
        record = self.records[row]
        if self.control in ENDING and row >= self.cursor and record.state is State.WAITING:
            return replace(record, state=ENDING[self.control])
        return record

    @property
    def counts(self) -> Counter[tuple[State, str, str]]:
        seen = [self.seen(row) for row in self.jobs]
        return Counter((record.state, record.failure.category, record.failure.error_type) for record in seen)

    @property
    def waits(self) -> Counter[tuple[str, int]]:
        """Jobs in the due set that have failed before, by category and the minute in which they are due."""
        due = [(self.records[row].failure.category, due_ms // 60_000) for row, due_ms in self.due.items()]
        return Counter(wait for wait in due if wait[0])

    def note_ended(self, ms: int) -> None:
        window, (known, jobs, before) = ms // LATELY_MS, self.lately
        if known != window:
            jobs, before = 0, jobs if known == window - 1 else 0
        self.lately = window, jobs + 1, before

    @property
    def finals(self) -> int:
        return sum(jobs for (state, _, _), jobs in self.counts.items() if state.final)


@dataclass(slots=True)
class Held:
    """A hold. Two of them are two objects, of the same scope too."""

    category: str = "funds"
    #: of probes (ms); empty: it waits for a person
    series: Sequence[int] = ()
    probe_at_ms: int = 0
    set_ms: int = 0
    probes: int = 0
    #: attempts that were probes
    sent: tuple[str, ...] = ()
    #: the job that all failures came from, and until when a probe may be under way
    only_job: str = ""
    free_ms: int = 0
    #: batches that were told of it
    announced_to: set[str] = field(default_factory=set)

    def may_probe(self, now_ms: int) -> bool:
        only_job, free_ms = self.only_job, self.free_ms
        due = holding.is_probe_due(self.probe_at_ms, self.set_ms, now_ms, only_job=only_job, free_ms=free_ms)
        return bool(self.series) and due

    def put_off(self, at_ms: int, now_ms: int) -> None:
        self.probe_at_ms, self.free_ms, self.set_ms = at_ms, at_ms, now_ms


@dataclass(slots=True)
class Model:
    policy: Policy
    pace: RateState
    us: int
    batches: dict[str, Batch] = field(default_factory=dict)
    deleted: list[Batch] = field(default_factory=list)
    active: dict[str, dict[str, float]] = field(default_factory=lambda: {"bulk": {}, "urgent": {}})
    timers: dict[str, int] = field(default_factory=dict)
    deadlines: dict[str, int] = field(default_factory=dict)
    watch: dict[Place, dict[JobId, int]] = field(default_factory=lambda: {place: {} for place in WATCHED})
    #: who calls a number, or "rest", and until when that counts
    numbers: dict[str, tuple[str, int]] = field(default_factory=dict)
    locks: dict[JobId, str] = field(default_factory=dict)
    holds: dict[str, Held] = field(default_factory=dict)
    #: scope -> batches with work that waits for the end of its hold
    parked: dict[str, set[str]] = field(default_factory=dict)
    released: set[str] = field(default_factory=set)
    #: scope -> failures in a row that may hold it, with their times
    strikes: dict[str, dict[str, int]] = field(default_factory=dict)
    #: attempts that the provider failed, with the number of sends by then
    failures: dict[str, int] = field(default_factory=dict)
    answered: Answered = field(default_factory=Answered)
    #: the same of those with an unclear end
    unclear: dict[str, int] = field(default_factory=dict)
    #: since when no list could be read, 0 for no time
    lists_fail_ms: int = 0
    #: countries that were refused, with the number of sends by then
    forbidden: dict[str, int] = field(default_factory=dict)
    sends: int = 0
    #: the do-not-fax list
    suppressions: dict[str, Suppression] = field(default_factory=dict)
    #: calls that have ended, those to dead numbers with the number of calls by then, and these numbers by area
    calls: int = 0
    dead_calls: dict[str, int] = field(default_factory=dict)
    dead_areas: dict[str, dict[str, int]] = field(default_factory=dict)
    #: of the call of begin that was made last
    call_number: int = 0
    limits: dict[Period, float] = field(default_factory=lambda: {Period.MINUTE: 0, Period.DAY: 0})
    leases: dict[str, OpenLease] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    #: the registry's clock, and the time at which it was written
    clock: tuple[int, int] = (0, 0)
    #: what producers are told: the batch (empty: none), the type, and what it is about
    events: list[tuple[str, EventType, str]] = field(default_factory=list)
    #: batches of which jobs became final in this call
    moved: set[str] = field(default_factory=set)

    @property
    def ms(self) -> int:
        return self.us // 1000

    @property
    def _adapt(self) -> Adaptation:
        policy = self.policy
        regain_us = int(policy.rate_regain_s * 1_000_000)
        gap_us = int(policy.probe_gap_s * 1_000_000)
        return Adaptation(cut=policy.rate_cut, regain_us=regain_us, probe_gap_us=gap_us)

    def _tell(self, batch: str, kind: EventType, about: str = "") -> None:
        self.events.append((batch, kind, about))

    def _tell_of_start(self, batch: Batch) -> None:
        self._tell(batch.id, EventType.STARTED)
        for scope in batch.scopes:
            self._tell_held(batch.id, scope)

    def _tell_held(self, batch: str, scope: str) -> None:
        if scope in self.holds:
            self.holds[scope].announced_to.add(batch)
            self._tell(batch, EventType.HELD, scope)

    def _tell_released(self, batch: str, scope: str, held: Held | None) -> None:
        if held and batch in held.announced_to:
            held.announced_to.remove(batch)
            self._tell(batch, EventType.RELEASED, scope)

    def _tell_of_hold(self, scope: str) -> None:
        kind, _, name = scope.partition(":")
        if kind == "batch":
            self._tell_held(name, scope)
        elif kind != "job":
            self._tell("", EventType.ACCOUNT_HELD, scope)
            for batch in self.batches.values() if kind == "document" else ():
                if name in batch.documents and batch.started_ms and not batch.finished_ms:
                    self._tell_held(batch.id, scope)

    def _tell_of_release(self, scope: str, held: Held) -> None:
        if scope.partition(":")[0] not in ("batch", "job"):
            self._tell("", EventType.ACCOUNT_RELEASED, scope)
        for batch in list(held.announced_to):
            self._tell_released(batch, scope, held)

    def _tell_of_held_jobs(self, batch: Batch) -> None:
        jobs = sum(due_ms == NEVER_MS for due_ms in batch.due.values())
        if is_power_of_ten(jobs):
            self._tell(batch.id, EventType.THRESHOLD_CROSSED, f"{Measure.HELD_JOBS} {jobs}")

    def tell_of_thresholds(self) -> None:
        """At the end of a script, for the batches of which jobs became final."""
        for batch in [self.batches[name] for name in self.moved]:
            if batch.announced and batch.finals:
                failed = sum(jobs for (state, _, _), jobs in batch.counts.items() if state is State.FAILED)
                batch.announced, crossed = thresholds_crossed(
                    self.policy.event_rules,
                    batch.announced,
                    rows=len(batch.jobs),
                    finals=batch.finals,
                    failed=failed,
                )
                for measure, threshold in crossed:
                    self._tell(batch.id, EventType.THRESHOLD_CROSSED, f"{measure} {threshold}")
        self.moved.clear()

    def add_part(self, batch: Batch, numbers: Sequence[str], countries: Sequence[str]) -> list[int]:
        duplicates, first = [], batch.blocks * 1000
        for index, number in enumerate(numbers):
            void = number in batch.numbers
            batch.records[first + index] = Record(state=State.VOID if void else State.WAITING, country=countries[index])
            batch.numbers.add(number)
            if void:
                duplicates.append(index)
        batch.blocks += 1
        batch.changed_ms = self.ms
        return duplicates

    def end_draft(self, batch: Batch, end: Control, unchanged_ms: int) -> bool:
        if batch.control is end and not unchanged_ms:
            return True
        if batch.control is not Control.DRAFT or (unchanged_ms and batch.changed_ms + unchanged_ms > self.ms):
            return False
        return self.control(batch, end) is None

    def control(self, batch: Batch, new: Control, *, at_once: bool = False) -> CommandRefusal | None:
        if new is batch.control:
            return None
        if batch.finished_ms:
            self.deadlines.pop(batch.id, None)
            if new is not Control.RUNNING:
                return CommandRefusal.ENDED
        elif new is Control.RUNNING and 0 < batch.deadline_ms <= self.ms:
            return CommandRefusal.LATE
        if new is Control.RUNNING:
            batch.start_at_ms = 0 if at_once else batch.start_at_ms
            self._run(batch)
            return None
        if batch.id in self.active[batch.priority]:
            batch.vtime = self.active[batch.priority].pop(batch.id)
        self.timers.pop(batch.id, None)
        if batch.control is Control.DRAFT and new is Control.EXPIRED:
            batch.draft_ended_ms = self.ms
        batch.control = new
        if new in ENDING:
            self.deadlines.pop(batch.id, None)
            self._end_holds_of(batch)
            self._end_if_last(batch)
        return None

    def delete(self, batch: Batch) -> CommandRefusal | None:
        """What has ended is gone at once; what it has counted in metrics stays."""
        if (batch.control, Command.DELETE) not in COMMAND_TRANSITIONS:
            return CommandRefusal.NOT_ALLOWED
        if not 0 < batch.finished_ms <= self.ms:
            return CommandRefusal.LIVE
        self.deadlines.pop(batch.id, None)
        self.timers.pop(batch.id, None)
        self.active[batch.priority].pop(batch.id, None)
        self._end_holds_of(batch)
        self.deleted.append(batch)
        del self.batches[batch.id]
        return None

    def _run(self, batch: Batch) -> None:
        later = batch.start_at_ms > self.ms
        batch.control = Control.SCHEDULED if later else Control.RUNNING
        batch.announced = batch.announced or Announced(look_at=1)
        if not later and not batch.started_ms:
            batch.started_ms = self.ms
            self._tell_of_start(batch)
        if batch.deadline_ms and not batch.finished_ms:
            self.deadlines[batch.id] = batch.deadline_ms
        self.timers[batch.id] = batch.start_at_ms if later else 0

    def change(self, batch: Batch, new: NewDefinition, *, dry_run: bool) -> tuple[ChangeRefusal | None, set[str]]:
        """Returns why it was refused, and the scopes of the holds that end."""
        definition = new.definition
        held = not PROBED.union(batch.scopes).isdisjoint(self.holds)
        refusal = change_refusal(batch.control, new.fields, held=held, finished=batch.finished_ms > 0)
        if refusal is None and "deadline_ms" in new.fields and 0 < definition.deadline_ms <= self.ms:
            refusal = ChangeRefusal.LATE
        left = [sha256 for sha256 in batch.documents if sha256 not in definition.documents]
        ended = {f"document:{sha256}" for sha256 in left if not self._is_needed(sha256, batch)}
        ended.add(f"batch:{batch.id}")
        ended = {scope for scope in ended if scope in self.holds}
        own = self.holds.get(f"batch:{batch.id}")
        if own and own.category not in new.ended:
            ended.discard(f"batch:{batch.id}")
        if refusal or dry_run:
            return refusal, set() if refusal else ended
        if makes_version(new.fields):
            batch.version, batch.tag = definition.version, definition.tag
            self.strikes.pop(f"batch:{batch.id}", None)
        for sha256 in left:
            self._wait_no_more(batch.id, f"document:{sha256}")
            self._tell_released(batch.id, f"document:{sha256}", self.holds.get(f"document:{sha256}"))
        for sha256 in set(definition.documents) - set(batch.documents):
            if batch.started_ms:
                self._tell_held(batch.id, f"document:{sha256}")
        self._take_over(batch, definition, deadline_changes="deadline_ms" in new.fields)
        for scope in ended:
            self._end_hold(scope)
        return None, ended

    def _take_over(self, batch: Batch, definition: Definition, *, deadline_changes: bool) -> None:
        if definition.priority != batch.priority:
            self.active[batch.priority].pop(batch.id, None)
            batch.vtime = 0.0
        batch.priority, batch.weight, batch.documents = definition.priority, definition.weight, definition.documents
        batch.deadline_ms = definition.deadline_ms
        if batch.control is Control.DRAFT:
            batch.changed_ms = self.ms
            return
        if deadline_changes:
            self.deadlines.pop(batch.id, None)
            self.deadlines |= {batch.id: batch.deadline_ms} if batch.deadline_ms else {}
        if batch.control is Control.RUNNING:
            self._lower_timer(batch, self.ms)

    def _is_needed(self, sha256: str, but: Batch) -> bool:
        others = [batch for batch in self.batches.values() if batch is not but and not batch.finished_ms]
        return any(sha256 in batch.documents for batch in others)

    def _end_if_last(self, batch: Batch) -> None:
        self.moved.add(batch.id)
        if batch.finals == len(batch.jobs):
            if not batch.finished_ms:
                self._tell(batch.id, EventType.FINISHED, batch.control.value if batch.control in ENDING else "finished")
            batch.finished_ms = batch.finished_ms or self.ms
            self.deadlines.pop(batch.id, None)
            self._end_holds_of(batch)

    def _end_holds_of(self, batch: Batch) -> None:
        for scope in batch.scopes:
            self._wait_no_more(batch.id, scope)
            if scope.startswith("document:"):
                self._tell_released(batch.id, scope, self.holds.get(scope))
        self._end_hold(f"batch:{batch.id}")
        self.strikes.pop(f"batch:{batch.id}", None)

    def _clock_ms(self) -> int:
        clock, moved = self.clock
        return clock + max(0, min(self.ms - moved, LONGEST_STEP_MS))

    def register(self, name: str, instance: str, room: int) -> None:
        self.clock = self._clock_ms(), self.ms
        self.workers[name] = Worker(instance, self.clock[0], room)

    def renew(self, name: str, instance: str, room: int) -> bool:
        known, clock = self.workers.get(name), self._clock_ms()
        if known and known.instance != instance:
            return False
        if not known or clock - known.heartbeat_ms >= RENEW_MS or (known.room == 0) != (room == 0):
            self.register(name, instance, room)
        return True

    def report_end(self, name: str, instance: str) -> None:
        if name in self.workers and self.workers[name].instance == instance:
            del self.workers[name]

    def sign_off(self, name: str, instance: str) -> None:
        self.report_end(name, instance)
        for lease in self.leases.values():
            if lease.holder == (name, instance):
                lease.holder, lease.announced_ms = None, 0

    def _living(self) -> dict[str, Worker]:
        clock = self._clock_ms()
        if abs(self.ms - self.clock[1]) >= CLOCK_STEP_MS:
            self.clock = clock, self.ms
        return {name: worker for name, worker in self.workers.items() if clock - worker.heartbeat_ms <= DEAD_MS}

    def fetch(self, lease_id: str, worker: tuple[str, str]) -> bool:
        """Whether that worker process has the lease now."""
        lease = self.leases.get(lease_id)
        if lease is None or lease.holder not in (None, worker) or self.workers[worker[0]].instance != worker[1]:
            return False
        lease.holder = worker
        return True

    def claim(
        self, priority: str, lease_id: str, number: int, max_jobs: int, ahead: int, in_flight: int
    ) -> tuple[list[JobId], dict[str, Held]]:
        """Jobs leased, and the holds that they probe."""
        leased = len(self.watch[Place.LEASED])
        young = sum(until_ms >= self.ms + self._lease_ms - YOUNG_MS for until_ms in self.watch[Place.LEASED].values())
        room = min(max_jobs, ahead - young, MAX_AHEAD * ahead - leased, in_flight - leased - self._being_sent)
        if room <= 0 or not self._living():
            return [], {}
        self.pace = bounded_wait(self.pace, self.us)
        if self.pace.blocked_until_us > self.us:
            return [], {}
        self.pace = pacing.bounded_slot(self.pace, self.us)
        room = min(room, pacing.slots_within(self.pace, self.us, HORIZON_US) - young)
        if room <= 0:
            return [], {}
        probed = {scope: self.holds[scope] for scope in PROBED if scope in self.holds}
        for held in probed.values():
            if not held.may_probe(self.ms):
                return [], {}
            room = 1
        self._wake_released()
        self._promote()
        claim = Claim(number, room)
        self._fill(priority, claim)
        if not claim.jobs:
            return [], {}
        for held in probed.values():
            held.put_off(self.ms + self._lease_ms, self.ms)
        jobs = claim.jobs
        self.leases[lease_id] = OpenLease(self.ms, self.ms, len(jobs), priority, claim.suspect, number, jobs, probed)
        return jobs, probed

    @property
    def _lease_ms(self) -> int:
        return int(self.policy.lease_s * 1000)

    def _end_hold(self, scope: str) -> bool:
        """What waits for it is woken by the next claim."""
        if (held := self.holds.pop(scope, None)) is None:
            return False
        self._tell_of_release(scope, held)
        if scope in self.parked:
            self.released.add(scope)
        return True

    def _wait_no_more(self, batch: str, scope: str) -> None:
        waiting = self.parked.get(scope, set())
        waiting.discard(batch)
        if not waiting:
            self.parked.pop(scope, None)

    def _wake_released(self) -> None:
        for scope in self.released - self.holds.keys():
            for name in self.parked.pop(scope, set()):
                if self.batches[name].control is Control.RUNNING:
                    self._lower_timer(self.batches[name], self.ms)
        self.released.clear()

    def _promote(self) -> None:
        for name in [
            name for name, due_ms in sorted(self.timers.items(), key=lambda item: item[::-1]) if due_ms <= self.ms
        ]:
            del self.timers[name]
            batch = self.batches[name]
            if batch.control is Control.SCHEDULED:
                batch.control = Control.RUNNING
                if not batch.started_ms:
                    batch.started_ms = self.ms
                    self._tell_of_start(batch)
            active = self.active[batch.priority]
            if batch.control is Control.RUNNING and name not in active:
                active[name] = fairness.join(batch.vtime, min(active.values(), default=None))

    def _fill(self, priority: str, claim: Claim) -> None:
        active = self.active[priority]
        while claim.room > len(claim.jobs) and active and not claim.full:
            vtime, name = min((vtime, name) for name, vtime in active.items())
            batch = self.batches[name]
            if held := [scope for scope in batch.scopes if scope in self.holds]:
                self.parked.setdefault(held[0], set()).add(name)
                self._rest(batch, vtime, None)
                continue
            served = self._serve(batch, claim, min(claim.room - len(claim.jobs), QUANTUM))
            if served:
                active[name] = fairness.advance(vtime, served, batch.weight)
            elif not claim.full:
                self._rest(batch, vtime, min(batch.due.values(), default=None))

    def _rest(self, batch: Batch, vtime: float, next_ms: int | None) -> None:
        del self.active[batch.priority][batch.id]
        batch.vtime = vtime
        if next_ms is not None:
            self._lower_timer(batch, next_ms)

    def _lower_timer(self, batch: Batch, at_ms: int) -> None:
        self.timers[batch.id] = min(at_ms, self.timers.get(batch.id, at_ms))

    def _serve(self, batch: Batch, claim: Claim, room: int) -> int:
        self._unpark(batch)
        ready = sorted((due_ms, str(row)) for row, due_ms in batch.due.items() if due_ms <= self.ms)
        fresh = batch.unstarted
        first, retries, credit = fairness.split(room, len(fresh), len(ready), batch.credit, self.policy.retry_floor)
        quota, rows = first + retries, iter([int(row) for _, row in ready])
        taken = self._lease_retries(batch, claim, rows, retries)
        batch.credit = max(0.0, batch.credit - taken) if claim.full else credit
        if fresh and taken < quota and not claim.full:
            taken += self._lease_fresh(batch, claim, fresh, quota - taken)
        if self.holds:
            taken += self._lease_retries(batch, claim, rows, quota - taken)
        return taken

    def _lease_retries(self, batch: Batch, claim: Claim, rows: Iterator[int], max_jobs: int) -> int:
        taken = 0
        while taken < max_jobs and not claim.full and (row := next(rows, None)) is not None:
            if self._is_barred(batch, row):
                del batch.due[row]
                self._park(batch, row)
            else:
                taken += self._lease_retry(batch, claim, row)
        return taken

    def _lease_retry(self, batch: Batch, claim: Claim, row: int) -> bool:
        """A job with strikes is leased alone; one with two only while no other such job is leased."""
        strikes = batch.records[row].strikes
        if strikes and claim.jobs:
            claim.full = True
            return False
        if strikes >= SUSPECT and any(lease.suspect for lease in self.leases.values()):
            batch.due[row] = self.ms + SUSPECT_AGAIN_MS
            return False
        del batch.due[row]
        self._lease(batch, claim, row)
        claim.full, claim.suspect = strikes > 0, strikes >= SUSPECT
        return True

    def _lease_fresh(self, batch: Batch, claim: Claim, fresh: list[int], max_jobs: int) -> int:
        taken = 0
        for row in fresh:
            if taken == max_jobs:
                break
            batch.cursor = row + 1
            if self._is_barred(batch, row):
                self._park(batch, row)
            else:
                self._lease(batch, claim, row)
                taken += 1
        if taken < max_jobs:
            batch.cursor = batch.blocks * 1000
        return taken

    def _lease(self, batch: Batch, claim: Claim, row: int) -> None:
        batch.records[row] = replace(batch.records[row], state=State.LEASED, lease=claim.number)
        claim.jobs.append(JobId(batch.id, row))
        self.watch[Place.LEASED][claim.jobs[-1]] = self.ms + self._lease_ms

    def _is_barred(self, batch: Batch, row: int) -> bool:
        return f"country:{batch.records[row].country}" in self.holds

    def _park(self, batch: Batch, row: int) -> None:
        country = batch.records[row].country
        batch.parked.setdefault(country, set()).add(row)
        self.parked.setdefault(f"country:{country}", set()).add(batch.id)

    def _unpark(self, batch: Batch) -> None:
        """Rows of countries that are not held any more come back, while little is due."""
        for country in sorted(batch.parked):
            if f"country:{country}" in self.holds:
                self.parked.setdefault(f"country:{country}", set()).add(batch.id)
                continue
            due = sum(due_ms <= self.ms for due_ms in batch.due.values())
            for row in sorted(batch.parked[country])[: max(0, UNPARKED - due)]:
                batch.due[row] = self.ms
                self._forget_parked(batch, country, row)

    def _forget_parked(self, batch: Batch, country: str, row: int) -> None:
        batch.parked[country].remove(row)
        if not batch.parked[country]:
            del batch.parked[country]
            self._wait_no_more(batch.id, f"country:{country}")

    def begin(
        self,
        lease_id: str,
        number: int,
        probed: Mapping[str, Held],
        candidates: list[Candidate],
        max_in_flight: int,
        call: str,
    ) -> list[str]:
        """``probed`` are the holds that the lease was given to probe; only those that still stand are passed."""
        self.call_number = int(call[:8], 16)
        passed = {scope: held for scope, held in probed.items() if self.holds.get(scope) is held}
        words = [self._begin(number, passed, candidate, max_in_flight) for candidate in candidates]
        if lease_id in self.leases:
            self.leases[lease_id].left -= sum(word != "gone" for word in words)
            if self.leases[lease_id].left <= 0:
                del self.leases[lease_id]
        return words

    def _begin(self, number: int, passed: Mapping[str, Held], candidate: Candidate, max_in_flight: int) -> str:
        batch = self.batches.get(candidate.job.batch)
        if batch is None:
            return "gone"
        record = batch.records[candidate.job.row]
        if record.state is not State.LEASED or record.lease != number:
            return "gone"
        del self.watch[Place.LEASED][candidate.job]
        word, again_ms = self._obstacle(batch, candidate, passed, max_in_flight)
        if not word:
            self.pace, slot = pacing.reserve(self.pace, self.us, HORIZON_US, self._adapt)
            if slot is not None:
                self._send(batch, candidate, record, slot // 1000)
                for held in passed.values():
                    self._note_probe(held, f"{candidate.job}/{record.attempt + 1}", slot // 1000)
                return "go"
            blocked_us = self.pace.blocked_until_us
            at_us = blocked_us if blocked_us > self.us else next_us(self.pace, self.us)
            word, again_ms = "rate", min(math.ceil(at_us / 1000), self.ms + 30_000)
        for held in passed.values():
            held.put_off(again_ms if word == "rate" else self.ms, self.ms)
        if word == "suppressed":
            failure = FailureCode(category=word)
            ended = replace(record, state=State.CANCELLED, failure=failure, lease=0, strikes=0, changed_ms=self.ms)
            self.place(candidate.job, ended, 0)
            return word
        if word == "country":
            batch.records[candidate.job.row] = replace(record, state=State.WAITING, strikes=0, lease=0)
            self._park(batch, candidate.job.row)
            return "held"
        self.place(candidate.job, replace(record, state=State.WAITING, strikes=0, lease=0), again_ms)
        return word

    def _obstacle(
        self, batch: Batch, candidate: Candidate, passed: Mapping[str, Held], max_in_flight: int
    ) -> tuple[str, int]:
        if batch.control is not Control.RUNNING:
            return "batch", self.ms
        if 0 < batch.deadline_ms <= self.ms:
            return "deadline", self.ms
        if f"job:{candidate.job}" in self.holds:
            return "held", NEVER_MS
        if f"country:{batch.records[candidate.job.row].country}" in self.holds:
            return "country", NEVER_MS
        if (PROBED.union(batch.scopes) - passed.keys()) & self.holds.keys():
            return "held", self.ms
        if candidate.tag != batch.tag:
            return "stale", self.ms
        entry = self.suppressions.get(candidate.number)
        if entry and entry.is_active(self.ms, ignore_dead_numbers=batch.ignores_dead_numbers):
            return "suppressed", self.ms
        if self._being_sent >= max_in_flight:
            return "full", self.ms + 250
        holder, until_ms = self._number_lock(candidate.number_hash)
        if holder:
            return "number", min(until_ms, self.ms + int(self.policy.number_busy_s * 1000))
        return "", 0

    def _number_lock(self, number: str) -> tuple[str, int]:
        holder, until_ms = self.numbers.get(number, ("", 0))
        return (holder, until_ms) if until_ms > self.ms else ("", 0)

    def _note_probe(self, held: Held, attempt: str, sent_ms: int) -> None:
        held.probes += 1
        held.sent = holding.probes_kept(held.sent, attempt)
        held.put_off(sent_ms + self._sending_ms, self.ms)
        held.probe_at_ms = holding.next_probe_ms(held.series, held.probes, sent_ms, self._sending_ms)
        if held.only_job != attempt.partition("/")[0]:
            held.only_job = ""
        held.set_ms = self.ms

    @property
    def _being_sent(self) -> int:
        """Sends whose deadline has not passed."""
        return sum(until_ms >= self.ms for until_ms in self.watch[Place.SENDING].values())

    @property
    def _sending_ms(self) -> int:
        return round((self.policy.send_window_s + self.policy.post_total_s) * 1000)

    @property
    def sent_as_probes(self) -> list[JobId]:
        """Jobs under way whose outcome may end a hold."""
        sent = {attempt for held in self.holds.values() for attempt in held.sent}
        return [
            JobId(batch.id, row)
            for batch in self.batches.values()
            for row, record in batch.records.items()
            if f"{batch.id}.{row}/{record.attempt}" in sent and not record.state.final
        ]

    def strike(self, scope: str, hold_after: int, attempt: str, within_ms: int) -> bool:
        failed = {attempt: self.ms} | self.strikes.get(scope, {})
        run = holding.run_of_failures(failed, self.ms, within_ms, hold_after)
        self.strikes |= {scope: run}
        if not run:
            del self.strikes[scope]
        return len(run) >= hold_after

    def hold(self, scope: str, category: str, series: Sequence[int]) -> bool:
        """One that waits for a person takes the place of one that a probe may end."""
        self.strikes.pop(scope, None)
        before = self.holds.get(scope)
        if self._is_over(scope) or (before and (series or not before.series)):
            return False
        first_ms = self.ms + series[0] if series else 0
        self.holds[scope] = Held(category=category, series=series, probe_at_ms=first_ms, set_ms=self.ms)
        kind, _, name = scope.partition(":")
        if kind == "job":
            job = JobId.parse(name)
            due = self.batches[job.batch].due
            due.update({job.row: NEVER_MS} if job.row in due else {})
            self._tell_of_held_jobs(self.batches[job.batch])
        if before:
            self._tell_of_release(scope, before)
        self._tell_of_hold(scope)
        return True

    def _is_over(self, scope: str) -> bool:
        kind, _, name = scope.partition(":")
        if kind not in ("job", "batch"):
            return False
        batch = self.batches[name.partition(".")[0]]
        if kind == "job" and batch.records[JobId.parse(name).row].state.final:
            return True
        return batch.control in ENDING or batch.finished_ms > 0

    def check_provider(self) -> bool:
        if PROVIDER not in self.holds:
            recent = holding.recent_failures(self.failures.values(), self.sends, self.policy.breaker_sends)
            self.failures = {attempt: send for attempt, send in self.failures.items() if send in recent}
            policy = self.policy
            unclear = holding.recent_failures(self.unclear.values(), self.sends, policy.unclear_sends)
            self.unclear = {attempt: send for attempt, send in self.unclear.items() if send in unclear}
            many = len(recent) >= policy.breaker_failures or len(unclear) > policy.unclear_share * policy.unclear_sends
            quiet_ms = round(policy.breaker_quiet_s * 1000)
            if not many and not holding.is_down(self.failures, self.answered, self.ms, quiet_ms, policy.breaker_run):
                return False
        only_job, series = holding.only_job_of(self.failures), self.policy.probe_provider_s
        self.failures, self.unclear = {}, {}
        new = self.hold(PROVIDER, "provider_unavailable", [int(seconds * 1000) for seconds in series])
        if new:
            self.holds[PROVIDER].only_job = only_job
        return new

    def note_list(self, *, readable: bool) -> ListNote:
        held = self.holds.get(PROVIDER)
        if readable:
            self.lists_fail_ms = 0
            if held is None or held.category != LISTS_FAIL:
                return ListNote.NOTHING
            self._end_hold(PROVIDER)
            return ListNote.RELEASED
        self.lists_fail_ms = min(self.lists_fail_ms or self.ms, self.ms)
        if self.ms - self.lists_fail_ms < self.policy.lists_fail_s * 1000 or not self.watch[Place.UNCLEAR]:
            return ListNote.NOTHING
        series = [int(seconds * 1000) for seconds in self.policy.probe_provider_s]
        return ListNote(self.hold(PROVIDER, LISTS_FAIL, series))

    def forbid(self, scope: str, countries: int, sends: int) -> bool:
        self.forbidden[scope] = self.sends
        recent = holding.recent_failures(self.forbidden.values(), self.sends, sends)
        self.forbidden = {scope: send for scope, send in self.forbidden.items() if send in recent}
        return len(self.forbidden) >= countries

    def _send(self, batch: Batch, candidate: Candidate, record: Record, slot_ms: int) -> None:
        batch.records[candidate.job.row] = replace(
            record,
            state=State.SENDING,
            strikes=0,
            lease=self.call_number,
            attempt=record.attempt + 1,
            lookups=0,
            unclear=False,
            pages_sent=0,
            pages_total=0,
            began_ms=slot_ms,
            changed_ms=self.ms,
            fax_id="",
        )
        batch.sent_by[candidate.job.row, record.attempt + 1] = batch.version
        self.watch[Place.SENDING][candidate.job] = slot_ms + self._sending_ms
        self.numbers[candidate.number_hash] = f"{candidate.job}/{record.attempt + 1}", self.ms + NUMBER_LOCK_MS
        self.locks[candidate.job] = candidate.number_hash

    def place(self, job: JobId, new: Record, next_ms: int) -> None:
        """Give a job its new record and the place that follows from it. It is in no place when this is called."""
        batch = self.batches[job.batch]
        if new.state is State.WAITING and batch.control in ENDING:
            new = replace(new, state=ENDING[batch.control], strikes=0, lease=0)
            self._end_hold(f"job:{job}")
        batch.records[job.row] = new
        if new.state is State.WAITING:
            batch.due[job.row] = next_ms
            if batch.control is Control.RUNNING:
                self._lower_timer(batch, next_ms)
        elif new.state in FLYING:
            unclear = new.state is State.SENDING and is_unclear(new)
            self.watch[Place.UNCLEAR if unclear else FLYING[new.state]][job] = next_ms
        elif new.state.final:
            if batch.job_events:
                self._tell(batch.id, EventType.JOB_FINAL, f"{job} {new.state.label} {new.failure.category}")
            self._end_if_last(batch)

    def settle(self, change: StoredTransition) -> None:
        job, new, next_ms, rest_s = change.job, change.new, change.next_ms, change.rest_s
        batch, attempt = self.batches[job.batch], f"{job}/{change.attempt}"
        if next_ms is None:
            batch.records[job.row] = new
        else:
            if change.old.state is State.WAITING or new.state.final:
                self._end_hold(f"job:{job}")
            batch.due.pop(job.row, None)
            for country in [country for country, rows in batch.parked.items() if job.row in rows]:
                self._forget_parked(batch, country, job.row)
            for flying in self.watch.values():
                flying.pop(job, None)
            self.place(job, new, NEVER_MS if change.hold else next_ms)
            if change.hold and batch.records[job.row].state is State.WAITING:
                self.holds[f"job:{job}"] = Held(category=change.hold.category)
                self._tell_of_held_jobs(batch)
        batch.pages_sent += change.pages
        batch.costs.update(change.costs)
        ended = batch.records[job.row].state
        if not change.old.state.final and ended.final and ended < State.CANCELLED:
            batch.note_ended(self.ms)
        self._end_disproved(attempt, change.disproves)
        if new.state is not change.old.state:
            self._end_runs(batch, new.state)
        if rest_s is not None and job in self.locks:
            number = self.locks.pop(job)
            if self._number_lock(number)[0] == attempt:
                del self.numbers[number]
                if rest_s:
                    self.numbers[number] = "rest", self.ms + int(rest_s * 1000)

        if change.call:
            self._end_call(batch, change, change.call)

    def _end_call(self, batch: Batch, change: StoredTransition, call: EndedCall) -> None:
        self.calls += 1
        before = self.suppressions.get(call.number)
        if call.end is CallEnd.DELIVERED and before and before.source is SuppressionSource.DEAD_NUMBER:
            del self.suppressions[call.number]
        if call.end is not CallEnd.DEAD or self._is_held_for_numbers(batch, f"{change.job}/{change.attempt}", call):
            return
        life_ms = call.figures["life_ms"]
        entry = dead_numbers.after_proof(before, call.number, str(change.job), self.ms, life_ms)
        if entry:
            self.suppressions[call.number] = entry

    def _is_held_for_numbers(self, batch: Batch, attempt: str, call: EndedCall) -> bool:
        scope, figures, area = f"batch:{batch.id}", call.figures, area_of(call.number)
        if batch.numbers_accepted:
            return False
        if scope in self.holds and self.holds[scope].category == "bad_numbers":
            return True
        dead, called = self.dead_calls | {attempt: self.calls}, self.dead_areas.get(area, {}) | {call.number: self.ms}
        self.dead_calls = dead_numbers.recent_calls(dead, self.calls, figures["calls"])
        self.dead_areas[area] = dead_numbers.recent_numbers(called, self.ms, figures["area_ms"])
        if not dead_numbers.is_suspicious(len(self.dead_calls), len(self.dead_areas[area]), figures):
            return False
        self.dead_calls = {}
        del self.dead_areas[area]
        strikes = self.strikes.get(scope)
        self.hold(scope, "bad_numbers", ())
        if strikes:
            self.strikes[scope] = strikes
        return True

    def _end_runs(self, batch: Batch, state: State) -> None:
        if state in (State.ACCEPTED, State.DELIVERED):
            self.strikes.pop(f"batch:{batch.id}", None)
        for sha256 in batch.documents if state is State.DELIVERED else ():
            self.strikes.pop(f"document:{sha256}", None)

    def _end_disproved(self, attempt: str, causes: Collection[str]) -> None:
        for scope in PROBED & self.holds.keys():
            held = self.holds[scope]
            if attempt in held.sent and holding.is_ended_by(scope, held.category, causes):
                self._end_hold(scope)

    def reap(self, again_ms: int) -> tuple[int, int, int, int, set[str], set[JobId]]:
        """Jobs given back, jobs held, sends that became unclear, workers that live, leases to announce, jobs to look
        at."""
        living = self._living()
        before = len(self.holds)
        back = [self._give_back(lease_id, struck) for lease_id, struck in self._over(living)]
        held = len(self.holds) - before
        announce = self._lost(living)
        unclear = [job for job, until_ms in self.watch[Place.SENDING].items() if until_ms <= self.ms]
        for job in unclear:
            lookup_ms = self.watch[Place.SENDING].pop(job) + round(self.policy.lookups_s[0] * 1000)
            self.watch[Place.UNCLEAR][job] = shared_ms(lookup_ms, lookup_spacing_ms(0, self.policy))
        look_at = set()
        for place in (Place.UNCLEAR, Place.ACCEPTED) if living else ():
            for job in [job for job, until_ms in self.watch[place].items() if until_ms <= self.ms]:
                self.watch[place][job] = self.ms + again_ms
                look_at.add(job)
        return sum(back), held, len(unclear), len(living), announce, look_at

    def _lost(self, living: Mapping[str, Worker]) -> set[str]:
        """Leases that nobody has fetched in time, though a worker has room."""
        announce = set()
        for lease_id, lease in self.leases.items():
            if lease.made_ms > self.ms:
                lease.made_ms = lease.announced_ms = self.ms
            lost = not lease.holder and self.ms - lease.announced_ms >= AGAIN_MS
            if lost and any(worker.room for worker in living.values()):
                lease.announced_ms = self.ms
                announce.add(lease_id)
        return announce

    def _over(self, living: Mapping[str, Worker]) -> list[tuple[str, bool]]:
        """Leases that nobody will begin, and whether the process that had fetched them has ended."""
        over = []
        fetchable = not living or any(worker.room for worker in living.values())
        for lease_id, lease in self.leases.items():
            name, instance = lease.holder or ("", "")
            ended = bool(name) and (name not in living or living[name].instance != instance)
            age = self.ms - lease.made_ms
            if ended or age >= self._lease_ms or (not name and age >= UNFETCHED_MS and fetchable):
                over.append((lease_id, ended))
        return over

    def _give_back(self, lease_id: str, struck: bool) -> int:
        lease = self.leases.pop(lease_id)
        jobs = [job for job in lease.jobs if self._is_leased(job, lease.number)]
        for job in jobs:
            del self.watch[Place.LEASED][job]
            record = self.batches[job.batch].records[job.row]
            strikes, again = record.strikes + struck, self.ms
            if strikes >= self.policy.max_strikes:
                strikes, again = 0, NEVER_MS
            self.place(job, replace(record, state=State.WAITING, strikes=strikes, lease=0), again)
            if again == NEVER_MS and self.batches[job.batch].records[job.row].state is State.WAITING:
                self.holds[f"job:{job}"] = Held(category="internal")
                self._tell_of_held_jobs(self.batches[job.batch])
        for scope, held in lease.probed.items():
            if self.holds.get(scope) is held:
                held.put_off(self.ms, self.ms)
        return len(jobs)

    def _is_leased(self, job: JobId, number: int) -> bool:
        record = self.batches[job.batch].records[job.row]
        return record.state is State.LEASED and record.lease == number

    def drain(self) -> int:
        drained = 0
        for batch in self.batches.values():
            for row in self._take_waiting(batch) if batch.control in ENDING else ():
                self._end_hold(f"job:{JobId(batch.id, row)}")
                self.place(JobId(batch.id, row), batch.records[row], 0)
                drained += 1
        return drained

    def _take_waiting(self, batch: Batch) -> list[int]:
        parked = [(country, row) for country, rows in batch.parked.items() for row in rows]
        rows = [*batch.due, *(row for _, row in parked)]
        batch.due.clear()
        for country, row in parked:
            self._forget_parked(batch, country, row)
        return rows

    def take(self, horizon_us: int) -> tuple[int | None, int]:
        """The slot of a read, or None; and when one that got none asks again."""
        share = self.policy.read_share
        self.pace, slot = pacing.reserve_read(self.pace, self.us, horizon_us, self._adapt, share)
        return slot, pacing.next_read_us(self.pace, self.us, share)

    def slow_down(self, epoch: int, retry_after_s: float | None, chance: float) -> None:
        base_s, cap_s = self.policy.backoff_429_s
        if capped_retry_after_s(retry_after_s) is None and epoch != self.pace.epoch:
            return
        backoff_s = min(cap_s, base_s * 2.0 ** min(self.pace.refusals, 30)) * chance
        named_s = capped_retry_after_s(retry_after_s)
        wait_us = backoff_s * 1_000_000 if named_s is None else named_s * 1_000_000
        self.pace = pacing.slow_down(self.pace, epoch, self.us, math.floor(wait_us), self._adapt)

    def set_limits(self, limits: Mapping[Period, float]) -> None:
        """An operator's limits; those not named stay."""
        self.limits |= limits
        self.pace = pacing.with_ceiling(pacing.unblock(self.pace, self.us), self.limits[Period.SECOND])
        self.pace = pacing.with_allowances(self.pace, {p: int(self.limits[p]) for p in (Period.MINUTE, Period.DAY)})

    def release(self, scope: str) -> bool:
        held = self.holds.get(scope)
        if held is None:
            return False
        self._end_hold(scope)
        kind, _, name = scope.partition(":")
        if kind == "batch" and held.category == "bad_numbers":
            self.batches[name].numbers_accepted = True
        if kind == "job":
            job = JobId.parse(name)
            name = job.batch
            if job.row in self.batches[name].due:
                self.batches[name].due[job.row] = self.ms
            if self.batches[name].control is Control.RUNNING:
                self._lower_timer(self.batches[name], self.ms)
        return True
