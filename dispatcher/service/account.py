"""How the account's rate is used, what holds it, and changing it while everything runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dispatcher.core.limits.allowance import Period, aged, free_us, used
from dispatcher.core.limits.rate import RateState, blocked_until_us, used_ratio
from dispatcher.core.recovery.places import Place
from dispatcher.service.errors import ActionNotAllowed, Missing
from dispatcher.service.views import Hold
from dispatcher.store.rollback import ROLLED_BACK
from dispatcher.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit in force. ``used`` are the requests that count against it now; None for a second."""

    period: Period
    limit: float
    source: Literal["settings", "operator"]
    used: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """Rates are requests a second; ``blocked_until_ms`` is 0 or the time until which nothing is sent because of
    ``blocked_by``: the provider (429), or the limit of a minute or a day."""

    ceiling: float
    rate: float
    limits: tuple[Limit, ...]
    blocked_until_ms: int
    blocked_by: Literal["", "provider", "minute", "day"]
    used_ratio: float
    #: jobs that are leased, being sent, or accepted without a result
    in_flight: int
    #: those of them whose attempt may have reached the provider, and is looked for there
    unclear: int
    #: callbacks that are stored and not settled
    inbox: int
    holds: tuple[Hold, ...]


async def view_account(store: Store) -> AccountView:
    now_ms = await store.clock.now_ms()
    pace = await store.rate_limiter.state()
    sizes = await store.dispatch.sizes()
    blocked_by, until_us = _blocked(pace, now_ms * 1000)
    return AccountView(
        ceiling=pace.ceiling,
        rate=pace.rate,
        limits=_limits(pace, await store.rate_limiter.by_operator(), now_ms * 1000),
        blocked_until_ms=until_us // 1000,
        blocked_by=blocked_by,
        used_ratio=used_ratio(pace, now_ms * 1000),
        in_flight=sum(sizes.values()),
        unclear=sizes[Place.UNCLEAR],
        inbox=await store.inbox.depth(),
        holds=tuple(await store.holds.all()),
    )


def _limits(pace: RateState, by_operator: frozenset[Period], now_us: int) -> tuple[Limit, ...]:
    def limit(period: Period, value: float, used: int | None = None) -> Limit:
        source: Literal["settings", "operator"] = "operator" if period in by_operator else "settings"
        return Limit(period=period, limit=value, source=source, used=used)

    longer = (limit(one.period, one.limit, used(one, now_us)) for one in pace.allowances)
    return limit(Period.SECOND, pace.ceiling), *longer


def _blocked(pace: RateState, now_us: int) -> tuple[Literal["", "provider", "minute", "day"], int]:
    """What stops sending longest, and until when (microseconds); nothing and 0 when there may be a permit now."""
    until: dict[Literal["", "provider", "minute", "day"], int] = {"provider": blocked_until_us(pace, now_us)}
    for one in pace.allowances:
        until["minute" if one.period is Period.MINUTE else "day"] = free_us(aged(one, now_us))
    name = max(until, key=lambda name: until[name])
    return (name, until[name]) if until[name] > now_us else ("", 0)


async def change_limits(store: Store, limits: Mapping[Period, float]) -> None:
    """Limits that stand above the settings, in all processes from their next permit on; those not named stay."""
    await store.rate_limiter.set_by_operator(limits)


async def forget_changes(store: Store) -> None:
    """The limits of the settings hold again."""
    await store.rate_limiter.back_to_settings()


async def unblock_account(store: Store) -> None:
    """End the wait that the provider asked for, in all processes at once. Without one nothing changes."""
    await store.rate_limiter.unblock()


async def release_hold(store: Store, scope: str) -> None:
    """End a hold by hand, without waiting for its probe. Raises Missing when there is none, and NotAllowed for the one
    that lost writes have opened: it ends by ``resume``."""
    if any(hold.scope == scope and hold.category == ROLLED_BACK for hold in await store.holds.all()):
        raise ActionNotAllowed("Redis has lost writes: look at what was found, and then bulkfax account resume")
    if not await store.holds.release(scope):
        raise Missing(f"nothing is held under {scope}")
