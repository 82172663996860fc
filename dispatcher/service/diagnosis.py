"""Finds out what is wrong with a batch: gathers the facts, of which the core makes findings.

Counts come from the batch. Examples, times and prefixes come from a limited number of its blocks.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from dispatcher.core.batch import Control
from dispatcher.core.diagnosis import BatchFinding, Facts, FailureFact, HoldFact, PrefixFact, UsedUp, diagnose
from dispatcher.core.job import JobId, Recipient, Record, State
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.classify import classify
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.service.account import view_account
from dispatcher.service.holds import list_holds
from dispatcher.service.limits import BatchLimits, what_limits_batches, what_stops
from dispatcher.service.mailings import is_late
from dispatcher.service.rows import block_recipients, block_records, paired
from dispatcher.service.views import BatchView, view_batch
from dispatcher.store.keys import BLOCK
from dispatcher.store.store import Store

#: blocks that are looked at, spread over the batch; examples of a category; holds that are explained
_BLOCKS, _EXAMPLES, _HOLDS = 20, 3, 10
#: characters of numbers that begin alike, such as +49302; prefixes that are compared
_PREFIX, _PREFIXES = 6, 3
#: time between a callback and the result that it brings
_SETTLED_MS = 60_000
#: what is explained of final jobs; cancelled and expired ones are somebody's wish
_FAILED = (State.FAILED, State.DELIVERED_UNCONFIRMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What is wrong with a batch, the most important first."""

    batch: BatchView
    limited_by: LimitedBy | None
    findings: tuple[BatchFinding, ...]
    #: jobs of which examples, times and prefixes are
    looked_at: int


async def diagnose_batch(
    store: Store, batch: str, policy: Policy, *, max_in_flight: int, expects_callbacks: bool
) -> Diagnosis:
    """Find out what is wrong with a batch. Raises Missing when there is none."""
    view = await view_batch(store, batch)
    overview, now_ms = view.overview, await store.clock.ask()
    start_at_ms = view.definition.start_at_ms
    scan = await _scan(store, batch, overview.blocks, policy)
    retries = await store.backlog.retries(batch, now_ms)
    limits = await what_limits_batches(store, [batch], max_in_flight=max_in_flight)
    last_callback_ms = await store.inbox.last_ms()
    facts = Facts(
        batch=batch,
        rows=overview.rows,
        live=overview.tally.live,
        now_ms=now_ms,
        stopped_by=await what_stops(store, max_in_flight=max_in_flight),
        limited_by=limits.get(batch, BatchLimits()).word,
        withheld=overview.withheld,
        start_at_ms=start_at_ms if overview.control is Control.SCHEDULED else 0,
        missed_start_ms=start_at_ms if overview.control is Control.DRAFT and is_late(view.definition, now_ms) else 0,
        holds=await _holds(store, batch),
        failures=scan.failures(view),
        prefixes=scan.prefixes(),
        retries={
            category: jobs
            for (state, category), jobs in overview.tally.by_category.items()
            if state is State.WAITING and category and jobs
        },
        next_try_ms=retries.first_ms,
        last_try_ms=retries.last_ms,
        used_up=await _used_up(store) if limits.get(batch, BatchLimits()).word is LimitedBy.ALLOWANCE else None,
        expects_callbacks=expects_callbacks,
        last_callback_ms=last_callback_ms,
        calls_without_callback=sum(1 for ms in scan.ended_ms if ms > last_callback_ms + _SETTLED_MS),
    )
    return Diagnosis(batch=view, limited_by=facts.limited_by, findings=diagnose(facts), looked_at=scan.jobs)


async def _used_up(store: Store) -> UsedUp | None:
    """Return the limit of a minute or a day that stops sending longest."""
    account = await view_account(store)
    used_up = next((limit for limit in account.limits if limit.period.value == account.blocked_by), None)
    return UsedUp(used_up.period.value[0], used_up.limit) if used_up else None


async def _holds(store: Store, batch: str) -> list[HoldFact]:
    page = await list_holds(store, batch=batch, limit=_HOLDS)
    return [
        HoldFact(
            scope=line.hold.scope,
            category=line.hold.category,
            cause=line.hold.cause,
            since_ms=line.hold.since_ms,
            probe_at_ms=line.hold.probe_at_ms,
            jobs=line.jobs,
        )
        for line in page.lines
    ]


@dataclass(slots=True)
class _Scan:
    """What some blocks of a batch show."""

    policy: Policy
    jobs: int = 0
    since_ms: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    #: when calls ended, of jobs whose call was the last thing that happened to them
    ended_ms: list[int] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    failed_jobs: dict[str, list[str]] = field(default_factory=dict)

    def add_block(self, first: int, rows: Sequence[tuple[Recipient, Record]], batch: str) -> None:
        """Look at the rows of a block, of which ``first`` is the first."""
        for row, (recipient, record) in enumerate(rows, start=first):
            if record.state not in (State.VOID, State.UNREADABLE):
                self._add(JobId(batch, row), recipient.number, record)

    def _add(self, job: JobId, number: str, record: Record) -> None:
        self.jobs += 1
        category = record.failure.category
        if record.state in _FAILED and category:
            self.since_ms[category] = min(self.since_ms.get(category, record.changed_ms), record.changed_ms)
            _keep(self.examples, category, str(job))
        if record.state is State.DELIVERED or (category and self._called(record)):
            self.ended_ms.append(record.changed_ms)
            self._count(job, number[:_PREFIX], failed=record.state is not State.DELIVERED)

    def _called(self, record: Record) -> bool:
        """Return whether a call to the number was made, so that a callback came and the area matters."""
        ended = record.state in (State.WAITING, *_FAILED)
        return ended and classify(record.failure.error_type, record.failure.error_code, policy=self.policy).called

    def _count(self, job: JobId, prefix: str, *, failed: bool) -> None:
        self.calls[prefix] += 1
        if failed:
            self.failed[prefix] += 1
            _keep(self.failed_jobs, prefix, str(job))

    def failures(self, view: BatchView) -> list[FailureFact]:
        """Return the failures by category: counts of the whole batch, examples of what was looked at."""
        jobs = Counter[str]()
        for (state, category), count in view.overview.tally.by_category.items():
            if state in _FAILED and category:
                jobs[category] += count
        return [
            FailureFact(
                category=category,
                jobs=count,
                since_ms=self.since_ms.get(category, 0),
                examples=tuple(self.examples.get(category, ())),
            )
            for category, count in jobs.items()
            if count
        ]

    def prefixes(self) -> list[PrefixFact]:
        calls, failed = self.calls.total(), self.failed.total()
        return [
            PrefixFact(
                prefix=prefix,
                calls=self.calls[prefix],
                failed=count,
                other_calls=calls - self.calls[prefix],
                other_failed=failed - count,
                examples=tuple(self.failed_jobs[prefix]),
            )
            for prefix, count in self.failed.most_common(_PREFIXES)
        ]


def _keep(examples: dict[str, list[str]], name: str, job: str) -> None:
    kept = examples.setdefault(name, [])
    if len(kept) < _EXAMPLES:
        kept.append(job)


async def _scan(store: Store, batch: str, blocks: int, policy: Policy) -> _Scan:
    """Look at some blocks, spread evenly over the batch."""
    scan, looked = _Scan(policy), min(blocks, _BLOCKS)
    for position in range(looked):
        block = position * blocks // looked
        rows = paired(await block_recipients(store, batch, block), await block_records(store, batch, block))
        await on_cpu_thread(scan.add_block, block * BLOCK, rows, batch)
    return scan
