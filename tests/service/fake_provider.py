"""A scheduler and a worker in this process, with a provider and a clock that belong to the test.

Store, scripts and services are the real ones. A thousand commands among killed workers take seconds this way, and
hours with processes and calls that last.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from dispatcher.core.failpoints import FailpointHook
from dispatcher.core.outcome import Accepted, FaxStatus, FaxUpdate, NotSent, SendOutcome, Unclear
from dispatcher.core.policy import Policy
from dispatcher.local.ledger import LedgerFax, ProviderOutcome
from dispatcher.service.fax_builder import FaxBuilder, PublicUrls
from dispatcher.service.inbox_consumer import InboxConsumer, encode
from dispatcher.service.permits import ReadPermits
from dispatcher.service.provider_reads import ProviderReads
from dispatcher.service.reconciling import Reconciler
from dispatcher.service.rollback import FaxList, Recovery
from dispatcher.service.scheduling import Scheduler
from dispatcher.service.sending import Sender
from dispatcher.service.settling import Settler
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from dispatcher.sinch.client import READ_CONNECTIONS
from dispatcher.sinch.outgoing import OutgoingFax
from dispatcher.sinch.wire import FaxQuery, ListPage
from dispatcher.store.errors import StoreError
from dispatcher.store.inbox import Inbox
from dispatcher.store.rollback import Rollbacks
from dispatcher.store.server_clock import ServerClock, SuspensionMeter
from dispatcher.store.store import Store
from tests.store.fixture import StoreFixture

#: seconds for what a killed worker leaves behind; and restarts and busy lines are many here: none of them may end a job
POLICY = Policy(
    post_total_s=4,
    lease_s=5,
    looks_s=(1, 2, 4, 8),
    callback_overdue_s=10,
    readback_s=(5,),
    number_distance_s=0,
    probe_provider_s=(1,),
    delay_scale=0.01,
    max_strikes=1000,
    max_dials=1000,
    max_tries=1000,
    max_server_errors=1000,
)
#: attempts under way at once; few, so that commands meet batches that have hardly begun
MAX_IN_FLIGHT = 5
#: when the provider's list shows a fax, true milliseconds; the settling time is 8 s
LIST_DELAY_MS = 6_000

_OUTCOMES = {
    FaxStatus.UNFINISHED: ProviderOutcome.UNFINISHED,
    FaxStatus.COMPLETED: ProviderOutcome.DELIVERED,
    FaxStatus.FAILURE: ProviderOutcome.FAILED,
}


@dataclass(slots=True, kw_only=True)
class Call:
    """One fax that the provider took."""

    id: str
    to: str
    job: str
    attempt: int
    created_ms: int
    write_epoch: int = 0
    status: FaxStatus = FaxStatus.UNFINISHED
    ended_ms: int = 0
    #: how it fails, if it does
    error: tuple[str, int] = ("CALL_ERROR", 17)
    pages_sent: int = 0
    pages_total: int = 0

    @property
    def news(self) -> FaxUpdate:
        failed = self.status is FaxStatus.FAILURE
        return FaxUpdate(
            fax_id=self.id,
            status=self.status,
            to=self.to,
            job=self.job,
            attempt=self.attempt,
            write_epoch=self.write_epoch,
            error_type=self.error[0] if failed else "",
            error_code=self.error[1] if failed else 0,
            pages_sent=self.pages_sent,
            pages_total=self.pages_total,
            created_ms=self.created_ms,
            ended_ms=self.ended_ms,
        )


class FakeProvider:
    """What the services ask of a ``FaxClient``, answered from memory: it takes, forgets to answer, and is truthful."""

    def __init__(self, dice: Random, world: StoreFixture) -> None:
        self._dice = dice
        self._world = world
        self.calls: list[Call] = []
        #: sends that a paused or ended batch may still make; any number for a batch that is not named
        self.left: dict[str, int] = {}
        #: jobs that were sent in spite of it
        self.forbidden: list[str] = []
        #: pairs of calls that were made to one number at the same time
        self.overlapping: list[tuple[Call, Call]] = []

    async def send(
        self, fax: OutgoingFax, *, total_s: float, may_send: object = None, failpoint: FailpointHook | None = None
    ) -> SendOutcome:
        await self._pause()
        if callable(may_send) and not may_send():
            return NotSent(reason="too late")
        fate = self._dice.choices(("taken", "unanswered", "lost", "unsent"), (80, 8, 6, 6))[0]
        if fate == "unsent":
            return NotSent(reason="no connection")
        if fate == "lost":
            return Unclear(reason="reset before it was taken")
        call = self._take(fax)
        await self._pause()
        return Accepted(update=call.news) if fate == "taken" else Unclear(reason="no answer", status=502)

    async def fax(self, fax_id: str, *, total_s: float) -> FaxUpdate | None:
        await self._pause()
        return next((call.news for call in self.calls if call.id == fax_id), None)

    async def list_page(self, query: FaxQuery, page: int, *, total_s: float) -> ListPage:
        await self._pause()
        low, high = query.created_from_ms or 0, query.created_to_ms or 0
        shown_ms = self._world.true_us // 1000 - LIST_DELAY_MS
        found = [c for c in self.calls if c.to.startswith(query.to) and low <= c.created_ms <= min(high, shown_ms)]
        return ListPage(faxes=tuple(call.news for call in found), page=1, total_pages=1)

    def end_calls(self, share: float) -> list[FaxUpdate]:
        """So many of the calls end now, one in eight of them with a busy line; returns the news."""
        live = [call for call in self.calls if call.status is FaxStatus.UNFINISHED and self._dice.random() < share]
        for call in live:
            call.status = self._dice.choices((FaxStatus.COMPLETED, FaxStatus.FAILURE), (7, 1))[0]
            call.ended_ms = self._world.true_us // 1000
        return [call.news for call in live]

    def ledger(self) -> list[LedgerFax]:
        return [
            LedgerFax(
                id=call.id,
                to=call.to,
                job=call.job,
                outcome=_OUTCOMES[call.status],
                accepted_ms=call.created_ms,
                ended_ms=call.ended_ms or None,
            )
            for call in self.calls
        ]

    def _take(self, fax: OutgoingFax) -> Call:
        batch = fax.job.partition(".")[0]
        if batch in self.left:
            self.left[batch] -= 1
            if self.left[batch] < 0:
                self.forbidden.append(fax.job)
        number = len(self.calls)
        call = Call(
            id=f"F{number:06}",
            to=fax.to,
            job=fax.job,
            attempt=fax.attempt,
            write_epoch=fax.write_epoch,
            created_ms=self._world.true_us // 1000,
        )
        before = (one for one in self.calls if one.to == call.to and one.status is FaxStatus.UNFINISHED)
        self.overlapping += [(one, call) for one in before]
        self.calls.append(call)
        return call

    async def _pause(self) -> None:
        for _ in range(self._dice.randrange(4)):
            await asyncio.sleep(0)


class Mailroom:
    """One scheduler and one worker, until they are killed."""

    def __init__(
        self,
        store: Store,
        world: StoreFixture,
        provider: FakeProvider,
        name: str,
        policy: Policy = POLICY,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> None:
        self._store = store
        self._before = asyncio.all_tasks()
        self._tasks: set[asyncio.Future[None]] = set()
        self.failures: list[BaseException] = []
        library = FaxBuilder(store, PublicUrls(public_url="", callback_key=b"", document_url=str), b"key")
        settler = Settler(store, library, policy, polling=False)
        self.permits = permits = ReadPermits(store.rate_limiter, at_once=READ_CONNECTIONS)

        #: time in which the whole machine stood still, and that its steady clock did not count
        self.uncounted_s = 0.0

        def wall() -> float:
            return world.true_us / 1_000_000

        def steady() -> float:
            return wall() - self.uncounted_s

        self.sender = Sender(
            store,
            provider,  # type: ignore[arg-type]  # the part of FaxClient that is asked for
            library,
            settler,
            permits,
            policy,
            clock=steady,
            stood_still=SuspensionMeter(steady, wall),
            max_in_flight=max_in_flight,
            calls=max_in_flight,
            sleep=lambda seconds: asyncio.sleep(0),
        )
        self.follower = Reconciler(store, provider, library, settler, permits, policy)  # type: ignore[arg-type]  # as above
        faxes = FaxList(store, provider, permits, policy)  # type: ignore[arg-type]  # as above
        self.recovery = Recovery(store, faxes, settler, policy)
        self.news = InboxConsumer(
            store,
            settler,
            library,
            ProviderReads(provider, permits, store.holds, policy),  # type: ignore[arg-type]  # as above
            consumer=name,
            idle_s=0,
        )
        # the scheduler's scripts are heartbeats of the worker too: the two die together
        store.workers.speak_as(name, "1", lambda: self.sender.room)
        self.upkeep = Scheduler(store, policy, steady, max_in_flight=max_in_flight)

    async def work(self) -> None:
        """Begin everything that is due now."""
        with suppress(StoreError):
            due = await self.upkeep.tick()
            for _, lease in due.leases:
                self._begin(self.sender.submit(lease))
            if due.reconcile:
                self._begin(self.follower.reconcile(due.reconcile))
            if due.events:
                self._begin(self._settle_events())

    async def rest(self) -> None:
        """Wait until everything that was begun is done."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self.sender.finish()
        await self.follower.finish()

    async def kill(self) -> None:
        """End at once, wherever each task stands."""
        mine = asyncio.all_tasks() - self._before
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)

    async def _settle_events(self) -> None:
        await self.news.settle_events()

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        # a store that is away costs a message, as it does in dramatiq
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, StoreError):
            self.failures.append(error)


class _WorldTime:
    """The one thing that the server's clock is asked for."""

    def __init__(self, world: StoreFixture) -> None:
        self._world = world

    async def time(self) -> tuple[int, int]:
        return divmod(self._world.us, 1_000_000)


def store_in(world: StoreFixture, url: str) -> Store:
    """A store all of whose clocks are the world's."""
    store = Store(url, POLICY, documents_max_bytes=1)
    store.batches, store.dispatch, store.holds, store.rate_limiter = (
        world.batches,
        world.dispatch,
        world.holds,
        world.limiter,
    )
    store.epoch, store.rollbacks = world.scripts.epoch, Rollbacks(world.client, world.scripts)
    store.inbox = Inbox(world.client, world.scripts)
    store.workers = world.workers
    store.clock = ServerClock(_WorldTime(world), lambda: world.true_us / 1_000_000)
    return store


async def tell(store: Store, news: Sequence[FaxUpdate], dice: Random) -> None:
    """Bring callbacks into the inbox: some come twice, some never, and their order is anybody's."""
    told = [one for one in news for _ in range(dice.choices((0, 1, 2), (2, 7, 1))[0])]
    dice.shuffle(told)
    for one in told:
        with suppress(StoreError):
            await store.inbox.add([encode(one.job, one.attempt, CallbackEvent(event=FAX_COMPLETED, news=one))])
