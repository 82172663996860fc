"""The liveness property: while at least one job may be sent, a fax leaves within ten seconds.

A job may be sent if its batch is running, no hold applies, its number is neither in a call nor resting, it is due, the
account has a permit, and a worker and a scheduler are running. This is read from records and from the simulation, not
from the indexes that the scheduler uses, because a job that is missing in all indexes may still be sent.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dispatcher.core.job import Recipient, State
from dispatcher.store import codec
from tests.simulation.engine import POLICY, Engine
from tests.store.fixture import KEYS

WITHIN_S = 10.0
#: seconds between two checks while a job may be sent
_CHECK_S = 1.0
#: maximum seconds between two checks
_MAX_WAIT_S = 3600.0
#: connections of a worker that only urgent jobs use
_URGENT_RESERVE = 8
_NEVER_MS = 1 << 60
_SENDING_MS = round((POLICY.send_window_s + POLICY.post_total_s) * 1000)


@dataclass(slots=True, kw_only=True)
class Mailing:
    """A batch as its producer knows it."""

    batch: str
    recipients: tuple[Recipient, ...]
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Check:
    """The result of a check: a job that may be sent, or the time at which one may be."""

    job: str
    next_ms: float


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch as Redis stores it."""

    mailing: Mailing
    control: bytes
    cursor: int
    start_at_ms: int
    records: bytes
    due: Mapping[int, float]

    def rows(self, *states: State) -> Iterator[int]:
        """Yield the rows whose record has one of the states."""
        for state in states:
            row = -1
            state_bytes = self.records[:: codec.WIDTH]
            while (row := state_bytes.find(bytes([state]), row + 1)) >= 0:
                yield row

    def number(self, row: int) -> str:
        return self.mailing.recipients[row].number

    def record(self, row: int) -> bytes:
        return self.records[row * codec.WIDTH : (row + 1) * codec.WIDTH]


class LivenessMonitor:
    """Checks the liveness property while the mailings are sent."""

    def __init__(self, engine: Engine, mailings: list[Mailing]) -> None:
        self._engine = engine
        self._mailings = mailings
        #: numbers of several jobs, with batch and row of each job
        self._shared = _shared(mailings)
        self.violations: list[str] = []
        self.checks = 0

    async def run(self) -> None:
        """Check until cancelled."""
        clock, provider = self._engine.clock, self._engine.provider
        since_s: float | None = None
        while True:
            quiet_s = clock.now_s - provider.last_send_s
            if quiet_s < _CHECK_S:
                since_s = None
                await asyncio.sleep(_CHECK_S - quiet_s + 0.01)
                continue
            check = self._check()
            if not check.job:
                since_s = None
                await self._wait(check.next_ms)
                continue
            since_s = clock.now_s if since_s is None or since_s < provider.last_send_s else since_s
            if min(clock.now_s - since_s, self._up_s()) >= self._within_s():
                self._report_violation(check.job, since_s)
                since_s = None
            await asyncio.sleep(_CHECK_S)

    async def _wait(self, next_ms: float) -> None:
        """Wait until a job may be sent, or Redis has changed."""
        engine = self._engine
        engine.written.clear()
        in_s = min(_MAX_WAIT_S, max(_CHECK_S, (next_ms - engine.server.ms) / 1000))
        try:
            await asyncio.wait_for(engine.written.wait(), in_s)
        except TimeoutError:
            return
        await asyncio.sleep(_CHECK_S)

    def _within_s(self) -> float:
        (rate,) = self._engine.server.call([("HGET", KEYS.limiter, "rate")])
        return max(WITHIN_S, 4 / float(rate))

    def _report_violation(self, job: str, since_s: float) -> None:
        clock = self._engine.clock
        text = f"{job} may have been sent since {since_s - clock.now_s + clock.passed_s:.3f}, but no fax has left"
        self._engine.log("LIVENESS", text)
        self.violations.append(text)

    def _up_s(self) -> float:
        """Return the seconds for which everything that sending needs has been available."""
        engine = self._engine
        connections = engine.config.connections - min(_URGENT_RESERVE, engine.config.connections // 4)
        free = [worker.up_s for worker in engine.workers if engine.provider.in_flight[worker.name] < connections]
        redis_s = engine.clock.now_s - max(engine.network.down_until_s, engine.network.hangs_until_s)
        pause_s = engine.clock.now_s - engine.provider.pause_until_s
        return min(max(free, default=0.0), max(scheduler.up_s for scheduler in engine.schedulers), redis_s, pause_s)

    def _check(self) -> _Check:
        self.checks += 1
        now_ms = self._engine.server.ms
        batches, holds = self._read()
        if self._in_flight(batches, now_ms) >= self._engine.config.max_in_flight:
            return _Check("", now_ms + 1000)
        busy = {batch.number(row) for batch in batches for row in batch.rows(State.SENDING, State.ACCEPTED)}
        resting = self._resting(batches, now_ms)
        next_ms = float(_NEVER_MS)
        for batch in batches:
            if batch.control not in (b"running", b"scheduled") or _is_held(holds, _scopes(batch.mailing), now_ms):
                continue
            for row in batch.rows(State.LEASED, State.WAITING):
                # a leased job is not in the due set: it may be sent by the worker that has the lease
                due_ms = max(batch.due.get(row, 0) if row < batch.cursor else 0, batch.start_at_ms)
                recipient = batch.mailing.recipients[row]
                scopes = (f"job:{batch.mailing.batch}.{row}", f"country:{recipient.region}")
                if recipient.number in busy or _is_held(holds, scopes, now_ms):
                    continue
                due_ms = max(due_ms, resting.get(recipient.number, 0))
                if due_ms <= now_ms:
                    return _Check(f"{batch.mailing.batch}.{row}", now_ms)
                next_ms = min(next_ms, due_ms)
        probes = [probe_ms for probe_ms in holds.values() if probe_ms > now_ms]
        return _Check("", min([next_ms, *probes]))

    def _read(self) -> tuple[list[_Batch], dict[str, float]]:
        commands: list[tuple[object, ...]] = [("HVALS", KEYS.holds)]
        for mailing in self._mailings:
            key = KEYS.batch(mailing.batch)
            commands += [
                ("HMGET", key, "control", "cursor", "start_at_ms"),
                ("GET", f"{key}:records:0"),
                ("ZRANGE", f"{key}:due", 0, -1, "WITHSCORES"),
            ]
        holds, *replies = self._engine.server.call(commands)
        batches = [
            _Batch(
                mailing=mailing,
                control=control,
                cursor=int(cursor),
                start_at_ms=int(start_at_ms) if control == b"scheduled" else 0,
                records=records,
                due={int(row): float(ms) for row, ms in due},
            )
            for mailing, (control, cursor, start_at_ms), records, due in zip(
                self._mailings, replies[0::3], replies[1::3], replies[2::3], strict=True
            )
            if records
        ]
        return batches, {hold["scope"]: hold.get("probe_at_ms") or _NEVER_MS for hold in map(json.loads, holds)}

    def _in_flight(self, batches: list[_Batch], now_ms: int) -> int:
        """Return the number of sends that may still be in flight."""
        rows = [batch.record(row) for batch in batches for row in batch.rows(State.SENDING)]
        if len(rows) < self._engine.config.max_in_flight:
            return len(rows)
        return sum(codec.decode_record(raw).began_ms + _SENDING_MS > now_ms for raw in rows)

    def _resting(self, batches: list[_Batch], now_ms: int) -> dict[str, int]:
        """Return the times until which numbers of several jobs rest after a call."""
        shared: dict[str, int] = {}
        stored = {batch.mailing.batch: batch for batch in batches}
        for number, places in self._shared.items():
            records = [stored[batch].record(row) for batch, row in places if batch in stored]
            if len(records) > 1:
                changed_ms = max(codec.decode_record(record).changed_ms for record in records)
                shared[number] = round(changed_ms + POLICY.number_distance_s * 1000)
        return shared


def _shared(mailings: list[Mailing]) -> dict[str, list[tuple[str, int]]]:
    places: dict[str, list[tuple[str, int]]] = {}
    for mailing in mailings:
        for row, recipient in enumerate(mailing.recipients):
            places.setdefault(recipient.number, []).append((mailing.batch, row))
    return {number: jobs for number, jobs in places.items() if len(jobs) > 1}


def _scopes(mailing: Mailing) -> tuple[str, ...]:
    return ("account", "provider", f"batch:{mailing.batch}", *(f"document:{sha}" for sha in mailing.documents))


def _is_held(holds: Mapping[str, float], scopes: tuple[str, ...], now_ms: int) -> bool:
    """Return whether a hold applies. A hold whose probe is due does not, because a job has to be sent as the probe."""
    return any(holds.get(scope, 0) > now_ms for scope in scopes)
