"""The doctor: checks whether the stored data is consistent, and repairs what has only one correct repair.

It may run while bulkfax works. A job that looks wrong in the scan of a batch is checked again, by itself and until
two readings agree, before it is reported.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from dispatcher.core.batch import FINAL_STATES, Control
from dispatcher.core.counted import counted
from dispatcher.core.durability import Answer
from dispatcher.core.durations import duration_text
from dispatcher.core.job import JobId, State
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.recovery.places import Place, misplacement
from dispatcher.service.doctor_footprint import weigh_batches
from dispatcher.service.doctor_readable import ADVICE, MAX_NAMED, unreadable
from dispatcher.service.doctor_suppressions import check_list, repair_list
from dispatcher.service.permits import NoPermit
from dispatcher.service.webhooks import DISABLED_BY_REQUEST, is_late, list_endpoints
from dispatcher.sinch.errors import SinchError
from dispatcher.store import codec
from dispatcher.store.audit import StoredBatch, tally, tally_waits
from dispatcher.store.errors import StoreError, UnreadableData, WrongKeyType
from dispatcher.store.footprint import OrphanKeys
from dispatcher.store.keys import BLOCK
from dispatcher.store.store import Store

#: called with the number of blocks done and the number of all blocks
Progress = Callable[[int, int], None]

#: seconds: work that is overdue for longer shows that no process handles it; and the tolerated difference of clocks
_OVERDUE_S, _SKEW_S = 60.0, 2.0
#: maximum names in the text of a finding
_MAX_NAMED = 5
#: maximum batches whose memory is named
_MAX_WEIGHTS = 10
#: maximum scans of a batch whose jobs move during the scan
_MAX_WALKS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check."""

    check: str
    ok: bool
    text: str
    fixed: bool = False
    #: False: as far as it can be seen, but what would prove it cannot be read
    verified: bool = True
    #: what the text is about, one by one
    details: tuple[str, ...] = ()


async def examine(store: Store, *, fix: bool, progress: Progress) -> list[Finding]:
    """Run all checks of the store.

    Args:
        store: The store.
        fix: Repair what can be repaired.
        progress: Called while batches are checked.

    Raises:
        StoreError: Redis cannot be read.
    """
    checks: dict[str, Callable[[], Awaitable[Finding | tuple[Finding, ...]]]] = {
        "key types": partial(_key_types, store),
        "readable data": partial(_readable, store),
        "server settings": partial(_settings, store),
        "server writes": partial(_writable, store),
        "one place": partial(_jobs, store, fix=fix, progress=progress),
        "number locks": partial(_locks, store, fix=fix),
        "do-not-fax list": partial(_suppressions, store, fix=fix),
        "holds": partial(_holds, store, fix=fix),
        "inbox": partial(_inbox, store),
        "callbacks set aside": partial(_set_aside, store, fix=fix),
        "watch": partial(_overdue, store),
        "drafts": partial(_drafts, store),
        "webhooks": partial(_webhooks, store),
        "list of batches": partial(_strays, store, fix=fix),
        "memory": partial(_weights, store),
        "clock": partial(_clock, store),
    }
    return [finding for name, check in checks.items() for finding in await _checked(name, check)]


async def _checked(name: str, check: Callable[[], Awaitable[Finding | tuple[Finding, ...]]]) -> tuple[Finding, ...]:
    """Return the findings of a check. One that stored data stops is a finding too, and the others go on."""
    try:
        findings = await check()
    except (UnreadableData, WrongKeyType) as error:
        return (Finding(check=name, ok=False, text=f"this could not be checked: {error}"),)
    return findings if isinstance(findings, tuple) else (findings,)


async def _key_types(store: Store) -> Finding:
    try:
        await store.key_types.check()
    except WrongKeyType as error:
        return Finding(check="key types", ok=False, text=str(error))
    return Finding(check="key types", ok=True, text="each key of the account is of its type")


async def examine_provider(lists: AsyncIterator[Sequence[FaxUpdate]], hours: float) -> Finding:
    """Check whether the provider has two faxes of one attempt.

    Then Redis has lost the first, and the recipient may have received both. ``lists`` are the provider's faxes of the
    last ``hours``.
    """
    try:
        attempts, twice = await _accepted_twice(lists)
    except (SinchError, NoPermit) as error:
        return Finding(check="provider", ok=False, text=f"the provider's faxes could not be read: {error}")
    if not twice:
        text = f"{counted(attempts, 'attempt')} of the last {hours:g} h, each accepted once"
        return Finding(check="provider", ok=True, text=text)
    text = f"{len(twice):,} of {counted(attempts, 'attempt')} of the last {hours:g} h accepted twice: "
    return Finding(check="provider", ok=False, text=text + ", ".join(twice[:_MAX_NAMED]))


async def _accepted_twice(lists: AsyncIterator[Sequence[FaxUpdate]]) -> tuple[int, Sequence[str]]:
    """Return the number of attempts, and the attempts with two faxes as ``<job>/<attempt>``."""
    first: dict[tuple[str, int], str] = {}
    twice: dict[str, None] = {}
    async for faxes in lists:
        for update in faxes:
            if update.job and first.setdefault((update.job, update.attempt), update.fax_id) != update.fax_id:
                twice[f"{update.job}/{update.attempt}"] = None
    return len(first), list(twice)


async def _settings(store: Store) -> Finding:
    judgement = await store.durability()
    safe, verified = judgement.answer is not Answer.UNSAFE, judgement.answer is not Answer.UNVERIFIED
    return Finding(check="server settings", ok=safe, verified=verified, text=judgement.sentence)


async def _writable(store: Store) -> Finding:
    try:
        await store.check_writable()
    except StoreError as error:
        return Finding(check="server writes", ok=False, text=str(error))
    return Finding(check="server writes", ok=True, text="Redis takes writes")


async def _readable(store: Store) -> Finding:
    damaged = await unreadable(store)
    if not damaged:
        return Finding(check="readable data", ok=True, text="everything that is stored can be read")
    more = f", and {len(damaged) - MAX_NAMED} more" if len(damaged) > MAX_NAMED else ""
    text = f"these cannot be read: {'; '.join(damaged[:MAX_NAMED])}{more}. {ADVICE}"
    return Finding(check="readable data", ok=False, text=text)


async def _facts(store: Store, batches: Sequence[str]) -> dict[str, StoredBatch]:
    """Return the facts of each batch that can be read; the others are named by the check above."""
    facts = {}
    for batch in batches:
        with suppress(UnreadableData):
            facts[batch] = await store.audit.facts(batch)
    return facts


async def _jobs(store: Store, *, fix: bool, progress: Progress) -> tuple[Finding, Finding]:
    batches = await store.audit.batches()
    facts = await _facts(store, batches)
    total, done = sum(stored.blocks for stored in facts.values()), 0
    watched = await store.audit.watched()
    suspects: list[JobId] = []
    wrong_counts: list[str] = []
    recounted = True
    jobs = 0
    for batch, stored in facts.items():
        try:
            scan = await _scan(store, batch, stored, watched)
        except UnreadableData:
            continue
        suspects += scan.suspects
        jobs += scan.jobs
        if not scan.counts_agree:
            wrong_counts.append(batch)
            recounted = recounted and fix and await store.audit.recount(scan.stored, scan.counted, scan.waits)
        done += stored.blocks
        progress(done, total)
    suspects += [job for job in watched if job.batch not in batches]
    places = await _places(store, suspects, jobs, fix=fix)
    if not wrong_counts:
        text = f"the counts of {counted(len(batches), 'batch', 'batches')} equal the records"
        return places, Finding(check="counts", ok=True, text=text)
    text = f"the counts of {', '.join(wrong_counts[:_MAX_NAMED])} do not equal their records"
    return places, Finding(check="counts", ok=False, text=text, fixed=recounted)


@dataclass(slots=True, kw_only=True)
class _BatchScan:
    """The records of a batch, read once, and its counters to compare them with."""

    jobs: int
    suspects: list[JobId]
    stored: StoredBatch
    counted: dict[str, int]
    waits: dict[str, int]
    #: jobs moved during every scan, so that the counts cannot be checked
    moving: bool

    @property
    def counts_agree(self) -> bool:
        return self.moving or (self.stored.counts, self.stored.waits) == (self.counted, self.waits)


async def _scan(store: Store, batch: str, facts: StoredBatch, watched: dict[JobId, set[Place]]) -> _BatchScan:
    for _ in range(_MAX_WALKS):
        due = await store.audit.due_rows(batch)
        waiting = {Place.DUE: {*due}, Place.PARKED: await store.audit.parked_rows(batch)}
        counted, waits = Counter[str](), Counter[str]()
        suspects: list[JobId] = []
        for block in range(facts.blocks):
            records = await store.audit.raw_records(batch, block)
            first = block * BLOCK
            counted += tally(records, first, facts.cursor, FINAL_STATES.get(Control(facts.control)))
            waits += tally_waits(records, first, due)
            suspects += _suspects(batch, records, first, facts.cursor, waiting, watched)
        after = await store.audit.facts(batch)
        moving = after != facts
        scan = _BatchScan(
            jobs=counted.total(),
            suspects=suspects,
            stored=after,
            counted=dict(counted),
            waits=dict(waits),
            moving=moving,
        )
        if not moving:
            return scan
        facts = after
    return scan


def _suspects(
    batch: str,
    records: Sequence[bytes],
    first: int,
    cursor: int,
    waiting: Mapping[Place, set[int]],
    watched: dict[JobId, set[Place]],
) -> list[JobId]:
    suspects = []
    for row, raw in enumerate(records, start=first):
        job = JobId(batch, row)
        places = watched.get(job, set()) | {place for place, rows in waiting.items() if job.row in rows}
        record = codec.record_or_mark(raw)
        if record.state is not State.UNREADABLE and misplacement(record, job.row, cursor, places):
            suspects.append(job)
    return suspects


async def _places(store: Store, suspects: Sequence[JobId], jobs: int, *, fix: bool) -> Finding:
    wrong: list[str] = []
    fixed = True
    for job in suspects:
        facts = await store.audit.job(job)
        if facts and facts.record.state is State.UNREADABLE:
            continue
        text = misplacement(facts.record, job.row, facts.cursor, facts.places) if facts else "does not exist"
        if text:
            wrong.append(f"{job} {text}")
            fixed = fix and await store.audit.repair(job) and fixed
    if not wrong:
        return Finding(check="one place", ok=True, text=f"{counted(jobs, 'job')}, each where it belongs")
    more = f", and {len(wrong) - _MAX_NAMED} more" if len(wrong) > _MAX_NAMED else ""
    return Finding(check="one place", ok=False, text="; ".join(wrong[:_MAX_NAMED]) + more, fixed=fixed)


async def _locks(store: Store, *, fix: bool) -> Finding:
    idle = []
    fixed = fix
    for job in await store.audit.locks():
        facts = await store.audit.job(job)
        if facts is None or facts.record.state not in (State.SENDING, State.ACCEPTED, State.UNREADABLE):
            idle.append(str(job))
            fixed = fix and await store.audit.unlock(job) and fixed
    if idle:
        text = f"numbers are locked by jobs that do not call them: {', '.join(idle[:_MAX_NAMED])}"
        return Finding(check="number locks", ok=False, text=text, fixed=fixed)
    return Finding(check="number locks", ok=True, text="numbers are locked only by jobs that call them")


async def _suppressions(store: Store, *, fix: bool) -> Finding:
    checked = await check_list(store)
    if checked.wrong:
        text = f"{counted(len(checked.wrong), 'number')} with a wrong place in its indexes: the list may not show them"
    elif checked.counted != checked.stored and checked.stored == (again := await check_list(store)).stored:
        text = f"its counts by source are {dict(again.stored)} and not {dict(again.counted)}"
    else:
        text = f"{counted(checked.entries, 'entry', 'entries')}, each with its places in the indexes"
        return Finding(check="do-not-fax list", ok=True, text=text)
    return Finding(check="do-not-fax list", ok=False, text=text, fixed=fix and await repair_list(store, checked))


async def _holds(store: Store, *, fix: bool) -> Finding:
    ended = [hold for hold in await store.holds.all() if await store.audit.has_ended(hold.scope)]
    in_force = {hold.id for hold in await store.holds.all()}
    idle = [hold for hold in ended if hold.id in in_force]
    if idle:
        fixed = fix and all([await store.holds.release(hold.scope, hold.id) for hold in idle])
        text = f"what they hold has ended: {', '.join(hold.scope for hold in idle[:_MAX_NAMED])}"
        return Finding(check="holds", ok=False, text=text, fixed=fixed)
    forgotten = await _forgotten(store)
    if forgotten:
        for scope in forgotten if fix else ():
            await store.holds.release(scope)
        text = f"batches wait for holds that have ended: {', '.join(sorted(forgotten)[:_MAX_NAMED])}"
        return Finding(check="holds", ok=False, text=text, fixed=fix)
    return Finding(
        check="holds", ok=True, text="every hold holds something, and nothing waits for a hold that has ended"
    )


async def _forgotten(store: Store) -> set[str]:
    scopes = set[str]()
    for batch in await store.audit.batches():
        with suppress(UnreadableData):
            scopes |= set(await store.audit.forgotten(batch))
    return scopes


async def _inbox(store: Store) -> Finding:
    depth, age_s = await store.inbox.depth(), await store.audit.oldest_event_s(await store.clock.now_ms())
    if age_s > _OVERDUE_S:
        text = f"{counted(depth, 'callback')} waiting, the oldest for {age_s:.0f} s: is a worker running?"
        return Finding(check="inbox", ok=False, text=text)
    return Finding(
        check="inbox", ok=True, text=f"{counted(depth, 'callback')} waiting" if depth else "no callback waits"
    )


async def _set_aside(store: Store, *, fix: bool) -> Finding:
    """Check for callbacks that could not be settled. ``fix`` makes them tried again, for example by a newer version."""
    failed = await store.inbox.failed()
    if not failed:
        return Finding(check="callbacks set aside", ok=True, text="no callback is set aside")
    text = f"{counted(len(failed), 'callback')} not settled and set aside, the last because of {failed[0].reason}"
    fixed = bool(fix and await store.inbox.retry_failed())
    return Finding(check="callbacks set aside", ok=False, text=text, fixed=fixed)


async def _overdue(store: Store) -> Finding:
    overdue_s = await store.audit.longest_overdue_s(await store.clock.now_ms())
    if overdue_s > _OVERDUE_S:
        text = f"a job in flight has been due for {overdue_s:.0f} s: is a scheduler running?"
        return Finding(check="watch", ok=False, text=text)
    return Finding(check="watch", ok=True, text="no job in flight is overdue")


async def _drafts(store: Store) -> Finding:
    drafts, unchanged_s = await store.audit.drafts(await store.clock.now_ms())
    oldest = f", the oldest unchanged for {duration_text(round(unchanged_s), units=1)}" if drafts else ""
    return Finding(check="drafts", ok=True, text=f"open drafts: {drafts:,}{oldest}")


async def _webhooks(store: Store) -> Finding:
    now_ms = await store.clock.now_ms()
    views = await list_endpoints(store)
    failed = [view for view in views if view.status.disabled_ms and view.status.reason != DISABLED_BY_REQUEST]
    late = [view for view in views if not view.status.disabled_ms and is_late(view, now_ms)]
    wrong = [
        *(f"{view.endpoint.id} is disabled: {view.status.reason}" for view in failed),
        *(f"{view.endpoint.id} has not got the events of {_age(view.waiting_since_ms, now_ms)}" for view in late),
    ]
    if wrong:
        advice = "see `bulkfax webhooks deliveries ENDPOINT`, then `bulkfax webhooks enable ENDPOINT`"
        return Finding(check="webhooks", ok=False, text=f"{'; '.join(wrong[:_MAX_NAMED])}. For each, {advice}")
    return Finding(check="webhooks", ok=True, text=f"{counted(len(views), 'endpoint')}, none late")


def _age(since_ms: int, now_ms: int) -> str:
    return f"the last {duration_text(round((now_ms - since_ms) / 1000), units=1)}"


async def _strays(store: Store, *, fix: bool) -> tuple[Finding, Finding]:
    strays = await store.footprint.strays()
    return await _unlisted(store, strays.unlisted, fix=fix), await _orphans(store, strays.orphans, fix=fix)


async def _unlisted(store: Store, batches: Sequence[str], *, fix: bool) -> Finding:
    if not batches:
        return Finding(check="list of batches", ok=True, text="it names every batch that is stored")
    named = ", ".join(batches[:_MAX_NAMED])
    text = f"it does not name {counted(len(batches), 'batch', 'batches')} that may be sending: {named}"
    fixed = fix and all([await store.footprint.list_again(batch) for batch in batches])
    return Finding(check="list of batches", ok=False, text=text, fixed=fixed)


async def _orphans(store: Store, orphans: Sequence[OrphanKeys], *, fix: bool) -> Finding:
    if not orphans:
        return Finding(check="orphan keys", ok=True, text="every key of a batch belongs to one")
    keys = counted(sum(orphan.keys for orphan in orphans), "key")
    named = ", ".join(orphan.batch for orphan in orphans[:_MAX_NAMED])
    text = f"{keys} of {counted(len(orphans), 'batch', 'batches')} that are in no list: {named}"
    if fix:
        await store.footprint.remove([orphan.batch for orphan in orphans])
    return Finding(check="orphan keys", ok=False, text=text, fixed=fix)


async def _weights(store: Store) -> Finding:
    weights = await weigh_batches(store)
    heaviest = tuple(str(weight) for weight in weights.weighed[:_MAX_WEIGHTS])
    return Finding(check="memory", ok=True, text=weights.sentence, details=heaviest)


async def _clock(store: Store) -> Finding:
    skew_s = await store.audit.skew_s()
    text = f"this machine and Redis differ by {abs(skew_s):.2f} s"
    return Finding(check="clock", ok=abs(skew_s) <= _SKEW_S, text=text)
