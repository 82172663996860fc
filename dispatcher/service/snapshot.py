"""A snapshot of the installation, from which the metrics are made."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from dispatcher.core.limits.allowance import used
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.limits.rate import next_us, used_ratio
from dispatcher.core.recovery.places import Place
from dispatcher.core.retry_table.rule import Scope
from dispatcher.service.limits import what_limits
from dispatcher.service.running_batches import BatchFigures, running_batches
from dispatcher.service.webhooks import WebhookHealth, webhook_health
from dispatcher.store.holds import HoldSummary
from dispatcher.store.store import ServerCondition, Store

#: (name, label value, ...) -> count
Totals = Mapping[tuple[str, ...], int]

#: maximum number of batches with work to look at; due jobs of further batches are not counted
_BATCHES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state of the installation. Times are in seconds.

    An ``oldest_...`` age is 0 if there is nothing; ``last_seen_s`` is infinite if nothing was ever seen.
    """

    totals: Totals
    in_flight: Mapping[str, int]
    #: number of callbacks that are not settled, and the age of the oldest
    inbox: int
    oldest_event_s: float
    #: number of batches that nobody has started
    drafts: int
    #: holds by kind of scope and category
    holds: Mapping[tuple[str, str], int]
    rate: float
    ceiling: float
    used_ratio: float
    #: limits per minute and per day, and how much of them is used
    limits: Mapping[str, int]
    used: Mapping[str, int]
    next_permit_s: float
    limited_by: LimitedBy | None
    #: jobs that are due or leased but not begun, and due jobs that a hold stops
    due: int
    due_held: int
    #: how long the oldest job that is due and not leased has been due
    oldest_due_s: float
    #: how long ago the oldest attempt that is unclear now began
    oldest_unclear_s: float
    #: time since the last sign of life, by kind of process
    last_seen_s: Mapping[str, float]
    workers_alive: int
    webhooks: WebhookHealth
    redis: ServerCondition
    #: of one command to Redis
    round_trip_s: float
    batches: Sequence[BatchFigures] = ()


async def snapshot(store: Store, max_in_flight: int) -> Snapshot:
    """Take a snapshot. ``max_in_flight`` is the limit of the settings. Raises StoreError."""
    rate_state = await store.rate_limiter.state()
    began_s = perf_counter()
    now_ms = await store.clock.ask()
    round_trip_s = perf_counter() - began_s
    holds = await store.holds.summary()
    limits = await what_limits(store, max_in_flight=max_in_flight, max_batches=_BATCHES, holds=holds.wide)
    in_flight = await store.dispatch.sizes()
    workers = await store.workers.read()
    return Snapshot(
        totals=await store.metric_totals.all(),
        in_flight=in_flight,
        inbox=await store.inbox.depth(),
        oldest_event_s=await store.audit.oldest_event_s(now_ms),
        drafts=await store.batches.open_drafts(),
        holds=_kinds(holds),
        rate=rate_state.rate,
        ceiling=rate_state.ceiling,
        used_ratio=used_ratio(rate_state, now_ms * 1000),
        limits={allowance.period: allowance.limit for allowance in rate_state.allowances},
        used={allowance.period: used(allowance, now_ms * 1000) for allowance in rate_state.allowances},
        next_permit_s=max(0, next_us(rate_state, now_ms * 1000) - now_ms * 1000) / 1_000_000,
        limited_by=limits.account,
        due=limits.due.jobs + in_flight[Place.LEASED],
        due_held=limits.due.held,
        oldest_due_s=_age_s(limits.due.since_ms, now_ms, none=0.0),
        oldest_unclear_s=_age_s(await store.dispatch.unclear_since_ms(), now_ms, none=0.0),
        last_seen_s={
            "scheduler": _age_s(await store.backlog.scheduler_seen_ms(now_ms), now_ms, none=math.inf),
            "worker": _age_s(workers.seen_ms(now_ms), now_ms, none=math.inf),
        },
        workers_alive=workers.alive,
        webhooks=await webhook_health(store, now_ms),
        redis=await store.condition(),
        round_trip_s=round_trip_s,
        batches=await running_batches(store, holds.wide, max_in_flight=max_in_flight),
    )


def _age_s(since_ms: int, now_ms: int, *, none: float) -> float:
    return max(0, now_ms - since_ms) / 1000 if since_ms else none


def _kinds(holds: HoldSummary) -> Counter[tuple[str, str]]:
    """Return the number of holds by kind of scope and category."""
    kinds = Counter((hold.scope.partition(":")[0], hold.category) for hold in holds.wide)
    for held in holds.jobs:
        kinds[Scope.JOB.value, held.category] += held.jobs
    return kinds
