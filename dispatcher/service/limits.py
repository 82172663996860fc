"""What limits sending now, for the account and for single batches. Gathers the facts; the core decides."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

from dispatcher.core.batch import Control
from dispatcher.core.limits.allowance import advanced_to_now, next_free_slot_us
from dispatcher.core.limits.holds import ACCOUNT, PROVIDER
from dispatcher.core.limits.limited_by import AccountWork, BatchWork, LimitedBy, limits_account, limits_batch, stops_all
from dispatcher.core.limits.rate import RateState, blocked_until_us
from dispatcher.service.errors import StoreError, UnreadableData, WrongKeyType
from dispatcher.store.backlog import LOOKED_AT, BatchBacklog
from dispatcher.store.holds import Hold
from dispatcher.store.store import Store

#: seconds without a sign of life after which a scheduler counts as gone
SCHEDULER_GONE_S = 5.0
_RUNNING = (Control.RUNNING,)
_NOT_STARTED = (Control.DRAFT, Control.SCHEDULED)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueWork:
    """Due jobs of running batches."""

    #: due jobs that only a hold of the account or the provider can stop
    jobs: int
    #: due jobs that are stopped by a hold of the job, its country, a document or its batch
    held: int
    #: since when the oldest of ``jobs`` is due, milliseconds since 1970; 0: there is none
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What limits the account. None: there is nothing to send."""

    account: LimitedBy | None
    due: DueWork


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """What limits a batch, and its waiting jobs; None: there is nothing to send, or it cannot be read."""

    word: LimitedBy | None = None
    backlog: BatchBacklog | None = None


_NOTHING_DUE = DueWork(jobs=0, held=0, since_ms=0)


async def what_limits(
    store: Store, *, max_in_flight: int, max_batches: int = LOOKED_AT, holds: Iterable[Hold] | None = None
) -> Limits:
    """Return what limits the account now. Raises StoreError when Redis cannot be read.

    Args:
        store: The store. Nothing in it is changed.
        max_in_flight: Faxes that all processes may have in flight at a time.
        max_batches: Maximum number of batches with work to look at.
        holds: Those of wider scopes than a job, if the caller has read them. A job's own hold stops no batch.
    """
    try:
        now_ms = await store.clock.ask()
        wide = (await store.holds.summary()).wide if holds is None else holds
        held = frozenset(hold.scope for hold in wide)
        working = await store.backlog.of(await store.backlog.with_work(held, max_batches), now_ms)
        account = await _account(store, working, held, now_ms, max_in_flight)
        return Limits(account=limits_account(account), due=_due(working, held))
    except (WrongKeyType, UnreadableData):
        if not await store.key_types.others():
            raise
        # what is asked for cannot be read, nor can it be sent
        return Limits(account=LimitedBy.STORE, due=_NOTHING_DUE)


async def what_limits_batches(store: Store, batches: Sequence[str], *, max_in_flight: int) -> Mapping[str, BatchLimits]:
    """Return what limits these batches now. Raises StoreError when Redis cannot be read.

    Only holds that can stop one of them are read.
    """
    try:
        now_ms = await store.clock.ask()
        backlogs = await store.backlog.of(batches, now_ms)
        scopes = {ACCOUNT, PROVIDER}.union(*(backlog.scopes for backlog in backlogs))
        held = frozenset(hold.scope for hold in await store.holds.among(scopes))
        due = any(backlog.due for backlog in backlogs)
        account = AccountWork(due=0, **await _machines(store, held, now_ms, max_in_flight, due=due))
        return {
            backlog.batch: BatchLimits(word=limits_batch(_batch(backlog, held), account), backlog=backlog)
            for backlog in backlogs
        }
    except (WrongKeyType, UnreadableData):
        if not await store.key_types.others():
            raise
        return dict.fromkeys(batches, BatchLimits(word=LimitedBy.STORE))


async def what_stops(store: Store, *, max_in_flight: int) -> LimitedBy | None:
    """Return what stops every batch until somebody does something about it, also when nothing is due."""
    held = frozenset(hold.scope for hold in await store.holds.among({ACCOUNT, PROVIDER}))
    machines = await _machines(store, held, await store.clock.ask(), max_in_flight, due=False)
    return stops_all(AccountWork(due=0, **machines))


def _due(working: Iterable[BatchBacklog], held: frozenset[str]) -> DueWork:
    running = [backlog for backlog in working if backlog.control in _RUNNING]
    free = [backlog for backlog in running if not backlog.scopes & held]
    jobs = sum(backlog.due - backlog.held for backlog in free)
    return DueWork(
        jobs=jobs,
        held=sum(backlog.due for backlog in running) - jobs,
        since_ms=min((backlog.due_since_ms for backlog in free if backlog.due_since_ms), default=0),
    )


async def _account(
    store: Store, working: Sequence[BatchBacklog], held: frozenset[str], now_ms: int, max_in_flight: int
) -> AccountWork:
    running = [backlog for backlog in working if backlog.control in _RUNNING]
    due = sum(backlog.due for backlog in running)
    idle = await _idle(store, now_ms) if not due else _Idle(0, 0, 0)
    return AccountWork(
        due=due,
        waiting_later=sum(backlog.later for backlog in running),
        number_busy=any(backlog.number_busy for backlog in running),
        withheld=idle.withheld,
        paused=idle.paused,
        not_started=idle.not_started,
        due_held=sum(backlog.due if backlog.scopes & held else backlog.held for backlog in running),
        due_paced=sum(backlog.due - backlog.held for backlog in running if backlog.paced and not backlog.scopes & held),
        **await _machines(store, held, now_ms, max_in_flight, due=due > 0),
    )


class _Machines(TypedDict):
    """The facts that count for every batch, as ``AccountWork`` has them."""

    held: bool
    writable: bool
    scheduler_alive: bool
    workers_alive: int
    replicas_short: bool
    blocked_by_provider: bool
    allowance_used_up: bool
    in_flight: int
    max_in_flight: int


async def _machines(store: Store, held: frozenset[str], now_ms: int, max_in_flight: int, *, due: bool) -> _Machines:
    rate_state = await store.rate_limiter.state()
    return _Machines(
        held=bool(held & {ACCOUNT, PROVIDER}),
        writable=await _writable(store) if due else True,
        scheduler_alive=now_ms - await store.backlog.scheduler_seen_ms(now_ms) < SCHEDULER_GONE_S * 1000,
        workers_alive=(await store.workers.read()).alive,
        replicas_short=await store.lacks_replicas(),
        blocked_by_provider=blocked_until_us(rate_state, now_ms * 1000) > now_ms * 1000,
        allowance_used_up=_used_up(rate_state, now_ms * 1000),
        in_flight=(await store.dispatch.sizes())["sending"],
        max_in_flight=max_in_flight,
    )


class _Idle(NamedTuple):
    """Jobs that nobody has let begin: the rest of partial starts, and those of batches paused or not started."""

    withheld: int
    paused: int
    not_started: int


async def _idle(store: Store, now_ms: int) -> _Idle:
    """Return the number of jobs that nobody has let begin. Read only when nothing is due."""
    backlogs = await store.backlog.of(await store.backlog.newest(), now_ms)
    withheld = sum(backlog.withheld for backlog in backlogs if backlog.control in _RUNNING)
    return _Idle(withheld, _waiting(backlogs, (Control.PAUSED,)), _waiting(backlogs, _NOT_STARTED))


def _waiting(backlogs: Iterable[BatchBacklog], controls: Sequence[Control]) -> int:
    return sum(backlog.waiting for backlog in backlogs if backlog.control in controls)


async def _writable(store: Store) -> bool:
    try:
        await store.check_writable()
        return await store.key_types.let_send()
    except StoreError:
        return False


def _used_up(rate_state: RateState, now_us: int) -> bool:
    return any(next_free_slot_us(advanced_to_now(allowance, now_us)) > now_us for allowance in rate_state.allowances)


def _batch(backlog: BatchBacklog, held: frozenset[str]) -> BatchWork:
    return BatchWork(
        control=backlog.control,
        live=backlog.waiting,
        waiting=backlog.waiting,
        due=backlog.due,
        held=bool(backlog.scopes & held),
        due_held=backlog.held,
        number_busy=backlog.number_busy,
        withheld=backlog.withheld,
        paced=backlog.paced,
    )
