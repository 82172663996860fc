"""The property: while at least one job may be sent, a fax leaves within ten seconds.

*May be sent* is read from records and from what the simulation knows, not from the places that the scheduler looks at:
a job that fell out of all of them may still be sent. It means: its batch runs, nothing that it belongs to is held, its
number is neither in a call nor resting, it is due, the account has a permit, and a worker and a scheduler are alive.
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
#: between two looks while something may be sent
_LOOK_S = 1.0
#: no longer than this without a look, seconds
_LONGEST_S = 3600.0
#: room of a worker that only urgent jobs use
_URGENT_RESERVE = 8
_NEVER_MS = 1 << 60
_SENDING_MS = round((POLICY.send_window_s + POLICY.post_total_s) * 1000)


@dataclass(slots=True, kw_only=True)
class Mailing:
    """One batch, as its producer knows it."""

    batch: str
    recipients: tuple[Recipient, ...]
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look found: a job that may be sent, or when there may be one."""

    job: str
    next_ms: float


@dataclass(frozen=True, slots=True)
class _Batch:
    mailing: Mailing
    control: bytes
    cursor: int
    start_at_ms: int
    records: bytes
    due: Mapping[int, float]

    def rows(self, *states: State) -> Iterator[int]:
        for state in states:
            at = -1
            shown = self.records[:: codec.WIDTH]
            while (at := shown.find(bytes([state]), at + 1)) >= 0:
                yield at

    def number(self, row: int) -> str:
        return self.mailing.recipients[row].number

    def record(self, row: int) -> bytes:
        return self.records[row * codec.WIDTH : (row + 1) * codec.WIDTH]


class Watch:
    """Looks at all mailings as long as they run."""

    def __init__(self, engine: Engine, mailings: list[Mailing]) -> None:
        self._engine = engine
        self._mailings = mailings
        #: numbers of several jobs, and where these are: batch and row
        self._shared = _shared(mailings)
        self.violations: list[str] = []
        self.looks = 0

    async def run(self) -> None:
        clock, provider = self._engine.clock, self._engine.provider
        since_s: float | None = None
        while True:
            quiet_s = clock.now_s - provider.left_s
            if quiet_s < _LOOK_S:
                since_s = None
                await asyncio.sleep(_LOOK_S - quiet_s + 0.01)
                continue
            seen = self._look()
            if not seen.job:
                since_s = None
                await self._wait(seen.next_ms)
                continue
            since_s = clock.now_s if since_s is None or since_s < provider.left_s else since_s
            if min(clock.now_s - since_s, self._up_s()) >= self._within_s():
                self._violated(seen.job, since_s)
                since_s = None
            await asyncio.sleep(_LOOK_S)

    async def _wait(self, next_ms: float) -> None:
        """Until there may be a job, or something was written."""
        engine = self._engine
        engine.written.clear()
        in_s = min(_LONGEST_S, max(_LOOK_S, (next_ms - engine.server.ms) / 1000))
        try:
            await asyncio.wait_for(engine.written.wait(), in_s)
        except TimeoutError:
            return
        await asyncio.sleep(_LOOK_S)

    def _within_s(self) -> float:
        (rate,) = self._engine.server.call([("HGET", KEYS.limiter, "rate")])
        return max(WITHIN_S, 4 / float(rate))

    def _violated(self, job: str, since_s: float) -> None:
        clock = self._engine.clock
        text = f"{job} may be sent since {since_s - clock.now_s + clock.passed_s:.3f}, and no fax has left"
        self._engine.log("LIVENESS", text)
        self.violations.append(text)

    def _up_s(self) -> float:
        """How long all that sending needs has been there."""
        engine = self._engine
        room = engine.site.connections - min(_URGENT_RESERVE, engine.site.connections // 4)
        free = [one.up_s for one in engine.workers if engine.provider.under_way[one.name] < room]
        redis_s = engine.clock.now_s - max(engine.network.away_until_s, engine.network.hangs_until_s)
        pause_s = engine.clock.now_s - engine.provider.asked_until_s
        return min(max(free, default=0.0), max(one.up_s for one in engine.schedulers), redis_s, pause_s)

    def _look(self) -> _Seen:
        self.looks += 1
        now_ms = self._engine.server.ms
        batches, holds = self._read()
        if self._in_flight(batches, now_ms) >= self._engine.site.max_in_flight:
            return _Seen("", now_ms + 1000)
        busy = {batch.number(row) for batch in batches for row in batch.rows(State.SENDING, State.ACCEPTED)}
        resting = self._resting(batches, now_ms)
        next_ms = float(_NEVER_MS)
        for batch in batches:
            if batch.control not in (b"running", b"scheduled") or _is_held(holds, _scopes(batch.mailing), now_ms):
                continue
            for row in batch.rows(State.LEASED, State.WAITING):
                # a leased job has no entry there: it may be sent, whoever has the lease
                due_ms = max(batch.due.get(row, 0) if row < batch.cursor else 0, batch.start_at_ms)
                recipient = batch.mailing.recipients[row]
                scopes = (f"job:{batch.mailing.batch}.{row}", f"country:{recipient.region}")
                if recipient.number in busy or _is_held(holds, scopes, now_ms):
                    continue
                due_ms = max(due_ms, resting.get(recipient.number, 0))
                if due_ms <= now_ms:
                    return _Seen(f"{batch.mailing.batch}.{row}", now_ms)
                next_ms = min(next_ms, due_ms)
        probes = [probe_ms for probe_ms in holds.values() if probe_ms > now_ms]
        return _Seen("", min([next_ms, *probes]))

    def _read(self) -> tuple[list[_Batch], dict[str, float]]:
        asked: list[tuple[object, ...]] = [("HVALS", KEYS.holds)]
        for mailing in self._mailings:
            key = KEYS.batch(mailing.batch)
            asked += [
                ("HMGET", key, "control", "cursor", "start_at_ms"),
                ("GET", f"{key}:records:0"),
                ("ZRANGE", f"{key}:due", 0, -1, "WITHSCORES"),
            ]
        holds, *parts = self._engine.server.call(asked)
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
                self._mailings, parts[0::3], parts[1::3], parts[2::3], strict=True
            )
            if records
        ]
        return batches, {hold["scope"]: hold.get("probe_at_ms") or _NEVER_MS for hold in map(json.loads, holds)}

    def _in_flight(self, batches: list[_Batch], now_ms: int) -> int:
        """Sends that may still be under way."""
        rows = [batch.record(row) for batch in batches for row in batch.rows(State.SENDING)]
        if len(rows) < self._engine.site.max_in_flight:
            return len(rows)
        return sum(codec.decode_record(raw).began_ms + _SENDING_MS > now_ms for raw in rows)

    def _resting(self, batches: list[_Batch], now_ms: int) -> dict[str, int]:
        """Numbers of several jobs that were called a short time ago, and until when they rest."""
        shared: dict[str, int] = {}
        written = {batch.mailing.batch: batch for batch in batches}
        for number, places in self._shared.items():
            records = [written[batch].record(row) for batch, row in places if batch in written]
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
    """A hold whose probe is due holds nobody: a job has to go and see."""
    return any(holds.get(scope, 0) > now_ms for scope in scopes)
