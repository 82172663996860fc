"""What the installation looks like at one moment: all that metrics are made of."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from dispatcher.core.hold_scope import HoldScope
from dispatcher.core.limits.allowance import used
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.limits.rate import next_us, used_ratio
from dispatcher.core.recovery.places import Place
from dispatcher.service.limits import what_limits
from dispatcher.store.holds import Hold
from dispatcher.store.store import Store

#: (name, label value, ...) -> count
Totals = Mapping[tuple[str, ...], int]

#: batches with work that are looked at; of more than these the others' due jobs are not counted
_BATCHES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Ages and times are in seconds; an age is infinite when what it is the age of has never been."""

    totals: Totals
    in_flight: Mapping[str, int]
    #: callbacks that are not settled, and the age of the oldest
    inbox: int
    oldest_event_s: float
    #: holds by kind of scope and category
    holds: Mapping[tuple[str, str], int]
    rate: float
    ceiling: float
    used_ratio: float
    #: limits of longer times by period, and what is used of them
    limits: Mapping[str, int]
    used: Mapping[str, int]
    next_permit_s: float
    limited_by: LimitedBy | None
    #: jobs that are due or leased and not begun, and others that only a hold keeps back
    due: int
    due_held: int
    #: for how long the oldest that nobody has leased is due
    oldest_due_s: float
    #: for how long the oldest attempt is unclear
    oldest_unclear_s: float
    #: since the last sign of life, by kind of process
    last_seen_s: Mapping[str, float]
    workers_alive: int


async def snapshot(store: Store, max_in_flight: int) -> Snapshot:
    """``max_in_flight`` is the settings' limit. Raises StoreError."""
    pace = await store.rate_limiter.state()
    now_ms = await store.clock.ask()
    limits = await what_limits(store, max_in_flight=max_in_flight, max_batches=_BATCHES)
    in_flight = await store.dispatch.sizes()
    workers = await store.workers.read()
    return Snapshot(
        totals=await store.metric_totals.all(),
        in_flight=in_flight,
        inbox=await store.inbox.depth(),
        oldest_event_s=await store.audit.oldest_event_s(now_ms),
        holds=Counter(map(_kind, await store.holds.all())),
        rate=pace.rate,
        ceiling=pace.ceiling,
        used_ratio=used_ratio(pace, now_ms * 1000) if pace.ceiling else 0.0,
        limits={one.period: one.limit for one in pace.allowances},
        used={one.period: used(one, now_ms * 1000) for one in pace.allowances},
        next_permit_s=max(0, next_us(pace, now_ms * 1000) - now_ms * 1000) / 1_000_000,
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
    )


def _age_s(since_ms: int, now_ms: int, *, none: float) -> float:
    return max(0, now_ms - since_ms) / 1000 if since_ms else none


def _kind(hold: Hold) -> tuple[str, str]:
    return HoldScope.parse(hold.scope).kind.value, hold.category
