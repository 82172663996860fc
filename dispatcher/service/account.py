"""How the account's rate is used, and what holds it."""

from dataclasses import dataclass

from dispatcher.core.pacing import used_ratio
from dispatcher.service.errors import Missing
from dispatcher.service.views import Hold
from dispatcher.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """Rates are requests a second; ``blocked_until_ms`` is 0 or the end of a pause that the provider asked for."""

    ceiling: float
    rate: float
    blocked_until_ms: int
    used_ratio: float
    #: jobs that are leased, being sent, or accepted without a result
    in_flight: int
    #: callbacks that are stored and not settled
    inbox: int
    holds: tuple[Hold, ...]


async def view_account(store: Store) -> AccountView:
    now_ms = await store.clock.now_ms()
    pace = await store.limiter.pace()
    sizes = await store.dispatch.sizes()
    blocked_until_ms = pace.blocked_until_us // 1000
    return AccountView(
        ceiling=pace.ceiling,
        rate=pace.rate,
        blocked_until_ms=blocked_until_ms if blocked_until_ms > now_ms else 0,
        used_ratio=used_ratio(pace, now_ms * 1000),
        in_flight=sum(sizes.values()),
        inbox=await store.inbox.depth(),
        holds=tuple(await store.holds.all()),
    )


async def release_hold(store: Store, scope: str) -> None:
    """End a hold by hand, without waiting for its probe. Raises Missing when there is none."""
    if not await store.holds.release(scope):
        raise Missing(f"nothing is held under {scope}")
