"""The account's limits: how much of them is used, what stops sending, and how to change them while bulkfax runs."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dispatcher.core.limits.allowance import Period, advanced_to_now, next_free_slot_us, used
from dispatcher.core.limits.rate import RateState, blocked_until_us, used_ratio
from dispatcher.core.recovery.places import Place
from dispatcher.service.errors import ActionNotAllowed
from dispatcher.service.holds import HoldPage, page_of, summed_lines
from dispatcher.service.views import Hold
from dispatcher.store.rollback import ROLLED_BACK
from dispatcher.store.store import Store

#: seconds for which one request releases holds
_RELEASE_S = 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit in force. ``used`` counts the requests against it; it is None for the limit per second."""

    period: Period
    limit: float
    source: Literal["settings", "operator"]
    used: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """The account's rate, limits, holds and work in flight. Rates are requests per second.

    ``blocked_until_ms`` is 0, or the time until which ``blocked_by`` stops all sending: the provider (it answered 429),
    or the limit per minute or per day.
    """

    ceiling: float
    rate: float
    limits: tuple[Limit, ...]
    blocked_until_ms: int
    blocked_by: Literal["", "provider", "minute", "day"]
    used_ratio: float
    #: jobs that are leased, being sent, or accepted without a result
    in_flight: int
    #: those of them with an unclear attempt: it may have reached the provider and is looked for there
    unclear: int
    #: callbacks that are stored and not settled yet
    inbox: int
    #: batches that nobody has started
    open_drafts: int
    #: the widest first, those of jobs folded, and ``SHOWN_OF_ACCOUNT`` at most
    holds: HoldPage
    #: those that are not of single jobs
    wide_holds: tuple[Hold, ...]


async def view_account(store: Store) -> AccountView:
    """Return the account as it is now. Raises StoreError."""
    now_ms = await store.clock.now_ms()
    rate_state = await store.rate_limiter.state()
    sizes = await store.dispatch.sizes()
    blocked_by, until_us = _blocked(rate_state, now_ms * 1000)
    holds = await store.holds.summary()
    return AccountView(
        ceiling=rate_state.ceiling,
        rate=rate_state.rate,
        limits=_limits(rate_state, await store.rate_limiter.by_operator(), now_ms * 1000),
        blocked_until_ms=until_us // 1000,
        blocked_by=blocked_by,
        used_ratio=used_ratio(rate_state, now_ms * 1000),
        in_flight=sum(sizes.values()),
        unclear=sizes[Place.UNCLEAR],
        inbox=await store.inbox.depth(),
        open_drafts=await store.batches.open_drafts(),
        holds=page_of(summed_lines(holds)),
        wide_holds=holds.wide,
    )


def _limits(rate_state: RateState, by_operator: frozenset[Period], now_us: int) -> tuple[Limit, ...]:
    def limit(period: Period, value: float, used: int | None = None) -> Limit:
        source: Literal["settings", "operator"] = "operator" if period in by_operator else "settings"
        return Limit(period=period, limit=value, source=source, used=used)

    allowances = (
        limit(allowance.period, allowance.limit, used(allowance, now_us)) for allowance in rate_state.allowances
    )
    return limit(Period.SECOND, rate_state.ceiling), *allowances


def _blocked(rate_state: RateState, now_us: int) -> tuple[Literal["", "provider", "minute", "day"], int]:
    """Return what stops sending longest, and until when (microseconds); "" and 0 when nothing does."""
    until_us: dict[Literal["", "provider", "minute", "day"], int] = {"provider": blocked_until_us(rate_state, now_us)}
    for allowance in rate_state.allowances:
        until_us["minute" if allowance.period is Period.MINUTE else "day"] = next_free_slot_us(
            advanced_to_now(allowance, now_us)
        )
    name = max(until_us, key=lambda name: until_us[name])
    return (name, until_us[name]) if until_us[name] > now_us else ("", 0)


async def change_limits(store: Store, limits: Mapping[Period, float]) -> None:
    """Set limits that override the settings. All processes use them from their next permit on.

    Limits that are not in ``limits`` do not change.
    """
    await store.rate_limiter.set_by_operator(limits)
    await store.confirm()


async def forget_changes(store: Store) -> None:
    """Remove the limits set by an operator, so that those of the settings apply again."""
    await store.rate_limiter.back_to_settings()
    await store.confirm()


async def unblock_account(store: Store) -> None:
    """End the wait that the provider asked for, in all processes at once. Does nothing when there is no wait."""
    await store.rate_limiter.unblock()
    await store.confirm()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedHolds:
    """Holds that were released, or would be."""

    holds: tuple[Hold, ...]
    #: holds because of lost writes, which end by ``resume`` only
    kept: int
    #: whether there are more of them
    more: bool


async def release_holds(store: Store, *, category: str = "", batch: str = "", dry_run: bool = False) -> ReleasedHolds:
    """End the holds of a category, of a batch and its jobs, or all, for some seconds. A dry run only names them."""
    named = [hold for hold in await store.holds.all() if _is_named(hold, category, batch)]
    free = [hold for hold in named if hold.category != ROLLED_BACK]
    kept = len(named) - len(free)
    if dry_run:
        return ReleasedHolds(holds=tuple(free), kept=kept, more=False)
    until_s, released, more = time.monotonic() + _RELEASE_S, list[Hold](), False
    for hold in free:
        if more := time.monotonic() >= until_s:
            break
        if await store.holds.release(hold.scope, hold.id):
            released.append(hold)
    await store.confirm()
    return ReleasedHolds(holds=tuple(released), kept=kept, more=more)


def _is_named(hold: Hold, category: str, batch: str) -> bool:
    of_batch = hold.scope == f"batch:{batch}" or hold.scope.startswith(f"job:{batch}.")
    return (not category or hold.category == category) and (not batch or of_batch)


async def release_hold(store: Store, scope: str) -> bool:
    """End a hold without waiting for its probe. Returns False if nothing is held under this scope (any more).

    Raises ActionNotAllowed if the hold was opened because Redis has lost writes: it ends by ``resume``.
    """
    if any(hold.category == ROLLED_BACK for hold in await store.holds.among([scope])):
        raise ActionNotAllowed(
            "Redis has lost writes: look at the faxes that were found, then run bulkfax account resume"
        )
    released = await store.holds.release(scope)
    await store.confirm()
    return released
