"""The same picture of a model and of the real store, to be compared."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from dispatcher.core.batch import Control
from dispatcher.core.batch_events import BatchEvent, EventType
from dispatcher.core.hold_scope import batch_of_job
from dispatcher.core.job import AttemptOutcome, HistoryEntry, JobId, Record, State
from dispatcher.core.recovery.places import WATCHED, Place
from dispatcher.core.retry_table.rule import CATEGORIES, ERROR_TYPES
from dispatcher.core.versions import NotedAttempt, VersionStart, version_of
from dispatcher.store import codec, keys
from dispatcher.store.events import START, Events
from tests.store.fixture import KEYS, StoreFixture, dump
from tests.store.model import Batch, Model, OpenLease

STRIKES, PARKED = KEYS.failure_run(""), KEYS.stopped_batches("")


def of_model(model: Model) -> dict[str, Any]:
    return {
        "batches": {
            batch.id: _of_batch(batch) | {"held_jobs": _held_jobs(model, batch.id)} for batch in model.batches.values()
        },
        "active": model.active,
        "drafts": {name: b.changed_ms for name, b in model.batches.items() if b.control is Control.DRAFT},
        "timers": model.timers,
        "deadlines": model.deadlines,
        "watch": {place: {str(job): until_ms for job, until_ms in jobs.items()} for place, jobs in model.watch.items()},
        "numbers": model.numbers,
        "locks": {str(job): number for job, number in model.locks.items()},
        "holds": {
            scope: (held.probe_at_ms, held.probes, held.sent, held.only_job) for scope, held in model.holds.items()
        },
        "kinds of holds": (
            {scope for scope in model.holds if not batch_of_job(scope)},
            Counter((batch, held.category) for scope, held in model.holds.items() if (batch := batch_of_job(scope))),
        ),
        "parked": model.parked,
        "released": model.released,
        "strikes": model.strikes,
        "failures": model.failures,
        "answered": (model.answered.at_ms, model.answered.sends),
        "unclear": model.unclear,
        "suppressions": {
            number: (entry.source.value, entry.job, entry.expires_ms) for number, entry in model.suppressions.items()
        },
        "calls": (model.calls, model.dead_calls, {area: called for area, called in model.dead_areas.items() if called}),
        "lists_fail": model.lists_fail_ms,
        "forbidden": model.forbidden,
        "leases": {name: _of_lease(lease) for name, lease in model.leases.items()},
        "workers": {
            name: (worker.instance, worker.heartbeat_ms, worker.room) for name, worker in model.workers.items()
        },
        "clock": model.clock,
        "pace": model.pace,
        "totals": _model_totals(model),
        "events": Counter(model.events),
    }


def _held_jobs(model: Model, batch: str) -> Counter[str]:
    return Counter(held.category for scope, held in model.holds.items() if batch_of_job(scope) == batch)


def _of_lease(lease: OpenLease) -> tuple[object, ...]:
    holder = lease.holder or ("-", "-")
    return lease.made_ms, lease.announced_ms, lease.left, lease.priority, int(lease.suspect), *holder


def _stored_lease(stored: bytes) -> tuple[object, ...]:
    created, announced, left, priority, suspect, *holder = stored.decode().split()
    return int(created), int(announced), int(left), priority, int(suspect), *holder


def _of_batch(batch: Batch) -> dict[str, Any]:
    return {
        "control": batch.control.value,
        "cursor": batch.cursor,
        "records": batch.records,
        "due": batch.due,
        "parked": batch.parked,
        "counts": {count: jobs for count, jobs in batch.counts.items() if jobs},
        "sums": (len(batch.jobs), len(batch.unstarted), batch.finals),
        "doubled": sum(record.doubled for record in batch.records.values()),
        "waits": batch.waits,
        "arrived": (batch.pages_sent, {currency: units for currency, units in batch.costs.items() if units}),
        "lately": batch.lately,
        "fairness": (batch.vtime, batch.credit),
        "times": (batch.started_ms, batch.finished_ms, batch.draft_ended_ms),
        "definition": (batch.priority, batch.weight, ",".join(batch.documents), batch.deadline_ms, batch.version),
        "sent by": batch.sent_by,
    }


async def of_store(db: StoreFixture) -> dict[str, Any]:
    raw = await dump(db.client)
    names = [name.decode() for name, _ in raw.get(KEYS.batches, [])]
    numbers = {
        name.removeprefix(KEYS.number("")): value for name, value in raw.items() if name.startswith(KEYS.number(""))
    }
    workers = dict(raw.get(KEYS.workers, {}))
    clock = workers.pop(b":clock", b"0 0")
    said = {name async for name in db.client.scan_iter(match=KEYS.lease("*"), count=1000)}
    assert said == {KEYS.lease(lease.decode()).encode() for lease in raw.get(KEYS.leases, {})}
    return {
        "batches": {name: _stored_batch(raw, name) for name in names},
        "active": {name: _scores(raw, KEYS.active(name)) for name in ("bulk", "urgent")},
        "drafts": _scores(raw, KEYS.drafts),
        "timers": _scores(raw, KEYS.timers),
        "deadlines": _scores(raw, KEYS.deadlines),
        "watch": {place: _scores(raw, KEYS.watch[place]) for place in WATCHED},
        "numbers": {name: _lock(value) for name, value in numbers.items()},
        "locks": {job.decode(): number.decode() for job, number in raw.get(KEYS.locks, {}).items()},
        "holds": {scope.decode(): _stored_hold(hold) for scope, hold in raw.get(KEYS.holds, {}).items()},
        "kinds of holds": await _kinds_of_holds(db, raw),
        "parked": {name.removeprefix(PARKED): _names(raw, name) for name in raw if name.startswith(PARKED)},
        "released": _names(raw, KEYS.released),
        "strikes": {name.removeprefix(STRIKES): _scores(raw, name) for name in raw if name.startswith(STRIKES)},
        "failures": _scores(raw, KEYS.breaker),
        "answered": tuple(int(raw.get(KEYS.answered, {}).get(name, 0)) for name in (b"at_ms", b"sends")),
        "unclear": _scores(raw, KEYS.unclear_sends),
        "suppressions": _suppressions(raw),
        "calls": _calls(raw),
        "lists_fail": int(raw.get(KEYS.lists_fail, 0)),
        "forbidden": _scores(raw, KEYS.forbidden),
        "leases": {name.decode(): _stored_lease(lease) for name, lease in raw.get(KEYS.leases, {}).items()},
        "workers": {name.decode(): _worker(value) for name, value in workers.items()},
        "clock": tuple(map(int, clock.split())),
        "pace": await db.limiter.state(),
        "totals": _stored_totals(raw),
        "events": await _stored_events(db),
    }


async def _stored_events(db: StoreFixture) -> Counter[tuple[str, EventType, str]]:
    """What was told. The events of each batch have the numbers 1, 2, 3."""
    events = (await Events(db.client, db.scripts).after(START, 10_000)).events
    for name in {event.batch for event in events}:
        sequences = [event.sequence for event in events if event.batch == name]
        assert sequences == list(range(1, len(sequences) + 1)), name
    return Counter((event.batch, event.type, _about(event)) for event in events)


def _about(event: BatchEvent) -> str:
    data = event.data
    match event.type:
        case EventType.FINISHED:
            return str(data["state"])
        case EventType.THRESHOLD_CROSSED:
            return f"{data['measure']} {data['threshold']}"
        case EventType.JOB_FINAL:
            return f"{data['job']} {data['state']} {data['category']}"
    return str(data.get("scope", ""))


def _suppressions(raw: dict[str, Any]) -> dict[str, tuple[str, str, int]]:
    stored = {name.decode(): json.loads(entry) for name, entry in raw.get(KEYS.suppressions, {}).items()}
    assert set(_scores(raw, KEYS.suppressed_numbers)) == set(stored)
    assert set(_scores(raw, KEYS.suppression_ends)) == {name for name, entry in stored.items() if "expires_ms" in entry}
    return {
        f"+{name}": (entry["source"], entry.get("job", ""), entry.get("expires_ms", 0))
        for name, entry in stored.items()
    }


def _calls(raw: dict[str, Any]) -> tuple[int, dict[str, float], dict[str, dict[str, float]]]:
    prefix = KEYS.dead_area("")
    areas = {
        name.removeprefix(prefix): {f"+{digits}": ms for digits, ms in _scores(raw, name).items()}
        for name in raw
        if name.startswith(prefix)
    }
    return int(raw.get(KEYS.calls, 0)), _scores(raw, KEYS.dead_calls), areas


def _lock(value: bytes) -> tuple[str, int]:
    holder, until_ms = value.decode().split()
    return holder, int(until_ms)


def _worker(value: bytes) -> tuple[str, int, int]:
    instance, heartbeat_ms, room = value.decode().split()
    return instance, int(heartbeat_ms), int(room)


def _model_totals(model: Model) -> dict[str, int]:
    """Jobs of all batches by state, and those that ended by state, category and type: metrics rest on these."""
    totals: Counter[str] = Counter()
    for batch in (*model.batches.values(), *model.deleted):
        totals["drafts_ended"] += batch.draft_ended_ms > 0
        for (state, category, error_type), jobs in batch.counts.items():
            totals[f"jobs|{state:d}"] += jobs * (batch.id in model.batches)
            if state.final:
                totals[f"final|{state:d}:{codec.category_code(category)}:{codec.type_code(error_type)}"] += jobs
    totals.update(f"suppressions|{entry.source}" for entry in model.suppressions.values())
    return {name: jobs for name, jobs in totals.items() if jobs}


def _stored_totals(raw: dict[str, Any]) -> dict[str, int]:
    totals = {name.decode(): int(jobs) for name, jobs in raw.get(KEYS.totals, {}).items()}
    return {
        name: jobs
        for name, jobs in totals.items()
        if jobs and name.startswith(("jobs|", "final|", "drafts_ended", "suppressions|"))
    }


def _stored_hold(raw: bytes) -> tuple[int, int, tuple[str, ...], str]:
    hold = json.loads(raw)
    return hold["probe_at_ms"], hold.get("probes", 0), tuple(hold.get("sent", ())), hold.get("only_job", "")


def _names(raw: dict[str, Any], key: str) -> set[str]:
    return {name.decode() for name in raw.get(key, ())}


def _stored_parked(raw: dict[str, Any], batch: str) -> dict[str, set[int]]:
    """The bitmaps; the set of their countries has to name all of them and no more."""
    prefix = KEYS.parked_rows(batch, "")
    parked = {name.removeprefix(prefix): {*codec.rows_of(raw[name])} for name in raw if name.startswith(prefix)}
    assert parked.keys() == _names(raw, KEYS.of_batch(batch, "parked"))
    return parked


def _scores(raw: dict[str, Any], key: str) -> dict[str, float]:
    return {member.decode(): score for member, score in raw.get(key, [])}


async def _kinds_of_holds(db: StoreFixture, raw: dict[str, Any]) -> tuple[set[str], Counter[tuple[str, str]]]:
    """The holds as lists show them: each group has one that is in force, and they are not read one by one."""
    summary = await db.holds.summary()
    in_force = {hold.scope: hold for hold in await db.holds.all()}
    for held in summary.jobs:
        assert held.first == in_force[held.first.scope]
        assert (batch_of_job(held.first.scope), held.first.category) == (held.batch, held.category)
    indexed = await db.holds._indexed()
    assert indexed is None or indexed == summary
    counted = {name.decode(): int(jobs) for name, jobs in raw.get(KEYS.holds_of_jobs, {}).items()}
    kinds = Counter({(held.batch, held.category): held.jobs for held in summary.jobs})
    assert counted == {" ".join(kind): jobs for kind, jobs in kinds.items()}
    assert raw.get(KEYS.first_holds, {}).keys() == raw.get(KEYS.holds_of_jobs, {}).keys()
    assert {hold.scope for hold in summary.wide} == _names(raw, KEYS.wide_holds)
    return {hold.scope for hold in summary.wide}, kinds


def _stored_batch(raw: dict[str, Any], name: str) -> dict[str, Any]:
    meta = {field.decode(): value.decode() for field, value in raw[KEYS.batch(name)].items()}
    counts = {field: int(jobs) for field, jobs in raw.get(KEYS.of_batch(name, "counts"), {}).items()}
    return {
        "control": meta["control"],
        "cursor": int(meta["cursor"]),
        "records": _records(raw, name, int(meta["blocks"])),
        "due": {int(row): due_ms for row, due_ms in _scores(raw, KEYS.of_batch(name, "due")).items()},
        "parked": _stored_parked(raw, name),
        "counts": {_count(field.decode()): jobs for field, jobs in counts.items()},
        "sums": tuple(int(meta[name]) for name in ("rows", "unstarted", "finals")),
        "doubled": int(meta["doubled"]),
        "waits": {
            _wait(field.decode()): int(jobs) for field, jobs in raw.get(KEYS.of_batch(name, "waits"), {}).items()
        },
        "held_jobs": {
            category.decode(): int(jobs) for category, jobs in raw.get(KEYS.of_batch(name, "held_jobs"), {}).items()
        },
        "arrived": (
            int(meta.get("pages_sent", 0)),
            {field.removeprefix("cost:"): int(units) for field, units in meta.items() if field.startswith("cost:")},
        ),
        "lately": tuple(map(int, meta.get("lately", "0 0 0").split())),
        "fairness": (float(meta.get("vtime", 0)), float(meta.get("retry_credit", 0))),
        "times": tuple(int(meta.get(name, 0)) for name in ("started_ms", "finished_ms", "draft_ended_ms")),
        "definition": (
            *(meta["class"], int(meta["weight"]), meta["documents"], int(meta["deadline_ms"])),
            int(meta.get("version", 1)),
        ),
        "sent by": _sent_by(raw, name, _records(raw, name, int(meta["blocks"]))),
    }


def _sent_by(raw: dict[str, Any], batch: str, records: Mapping[int, Record]) -> dict[tuple[int, int], int]:
    """By which version each attempt of each row was sent."""
    meta, sent_by = raw[KEYS.batch(batch)], dict[tuple[int, int], int]()
    starts = [VersionStart(*pair) for pair in _pairs(meta.get(b"version_starts", b""))]
    for row, record in records.items():
        stored = raw.get(KEYS.of_block(batch, "versions", row // keys.BLOCK), {}).get(b"%d" % row, b"")
        noted = [NotedAttempt(*pair) for pair in _pairs(stored)]
        for attempt in range(1, record.attempt + 1):
            sent_by[row, attempt] = version_of(attempt, row, starts, noted)
    return sent_by


def _pairs(text: bytes) -> list[tuple[int, int]]:
    return [(int(first), int(second)) for first, second in (pair.split(b":") for pair in text.split())]


def _records(raw: dict[str, Any], name: str, blocks: int) -> dict[int, Record]:
    return {
        block * keys.BLOCK + index: codec.decode_record(stored)
        for block in range(blocks)
        for index, stored in enumerate(codec.split_records(raw[KEYS.of_block(name, "records", block)]))
    }


def _wait(field: str) -> tuple[str, int]:
    category, minute = map(int, field.split(":"))
    return CATEGORIES[category], minute


def _count(field: str) -> tuple[State, str, str]:
    state, category, error_type = map(int, field.split(":"))
    return State(state), CATEGORIES[category], ERROR_TYPES[error_type]


#: what a live job's state allows
_RIGHT = {
    State.LEASED: ([Place.LEASED],),
    State.SENDING: ([Place.SENDING], [Place.UNCLEAR]),
    State.ACCEPTED: ([Place.ACCEPTED],),
}


def wrong_places(shown: dict[str, Any]) -> list[str]:
    """Live jobs that are not in exactly one place, and final ones that are in one."""
    wrong = []
    for name, batch in shown["batches"].items():
        for row, record in batch["records"].items():
            job = str(JobId(name, row))
            places = [place for place, jobs in shown["watch"].items() if job in jobs]
            waits = [where for where in (batch["due"], *batch["parked"].values()) if row in where]
            started = record.state is State.WAITING and row < batch["cursor"]
            if places not in _RIGHT.get(record.state, ([],)) or len(waits) != started:
                wrong.append(f"{job} is {record.state.label}, watched as {places}, waits in {len(waits)} places")
    return wrong


def evidence(fax_id: str) -> HistoryEntry:
    """News of an earlier fax of a job."""
    return HistoryEntry(attempt=1, at_ms=1, outcome=AttemptOutcome.LATE, fax_id=fax_id)
