"""What runs now: the processes, the provider, and the batches that have not ended."""

from dataclasses import dataclass
from typing import Literal

from dispatcher.core.batch import BatchState
from dispatcher.core.batch_filter import BatchFilter
from dispatcher.core.limits.holds import ACCOUNT, PROVIDER
from dispatcher.service.account import AccountView, view_account
from dispatcher.service.limits import SCHEDULER_GONE_S
from dispatcher.service.views import BatchView, newest_batches
from dispatcher.store.protocol import DEAD_S
from dispatcher.store.store import Store

#: batches that are shown
_SHOWN = 50
_RUNS = frozenset({BatchState.SCHEDULED, BatchState.RUNNING, BatchState.HELD, BatchState.PAUSED, BatchState.ENDING})

ProviderState = Literal["ok", "waiting", "held"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """All that runs. Times are milliseconds since 1970; 0: never."""

    account: AccountView
    scheduler_seen_ms: int
    scheduler_alive: bool
    worker_seen_ms: int
    workers_alive: int
    provider: ProviderState
    provider_answered_ms: int
    #: newest first, without drafts
    batches: tuple[BatchView, ...]
    #: whether there may be other batches that run
    more: bool


async def view_status(store: Store) -> StatusView:
    """Return what runs now. Raises StoreError."""
    now_ms = await store.clock.ask()
    account = await view_account(store)
    scheduler_ms = await store.backlog.scheduler_seen_ms(now_ms)
    workers = await store.workers.read()
    worker_ms = workers.seen_ms(now_ms)
    batches, more = await _running(store)
    return StatusView(
        account=account,
        scheduler_seen_ms=scheduler_ms,
        scheduler_alive=now_ms - scheduler_ms < SCHEDULER_GONE_S * 1000,
        worker_seen_ms=worker_ms,
        # the registry's clock stops while no process calls, so that the last ones seem to live on
        workers_alive=workers.alive if now_ms - worker_ms <= DEAD_S * 1000 else 0,
        provider=_provider(account),
        provider_answered_ms=await store.holds.answered_ms(),
        batches=batches,
        more=more,
    )


def _provider(account: AccountView) -> ProviderState:
    scopes = {line.hold.scope for line in account.holds.lines}
    if scopes & {ACCOUNT, PROVIDER}:
        return "held"
    return "waiting" if account.blocked_by == "provider" else "ok"


async def _running(store: Store) -> tuple[tuple[BatchView, ...], bool]:
    """Return the newest batches that run, and whether there may be others."""
    listed = await newest_batches(store, _SHOWN, batch_filter=BatchFilter(states=_RUNS))
    # every filter shows those that cannot be read
    return tuple(view for view in listed.views if isinstance(view, BatchView)), bool(listed.cursor)
