"""Providers that answer from memory, in place of a ``FaxClient``."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from dispatcher.core.failpoints import FailpointHook, no_failpoint
from dispatcher.core.outcome import Accepted, FaxStatus, FaxUpdate, NotSent, SendOutcome, Unclear
from dispatcher.local.ledger import LedgerFax, ProviderOutcome
from dispatcher.sinch.order import FaxOrder
from dispatcher.sinch.wire import AttemptLabels, FaxQuery, ListPage
from tests.store.fixture import StoreFixture

#: when the provider's list shows a fax, true milliseconds; the search period is 8 s
LIST_DELAY_MS = 6_000

_OUTCOMES = {
    FaxStatus.UNFINISHED: ProviderOutcome.UNFINISHED,
    FaxStatus.COMPLETED: ProviderOutcome.DELIVERED,
    FaxStatus.FAILURE: ProviderOutcome.FAILED,
}


@dataclass(slots=True, kw_only=True)
class Call:
    """A fax that the provider accepted."""

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
    #: in units; what a call that has not ended says of it does not count
    price: int = 0

    @property
    def fax_update(self) -> FaxUpdate:
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
            price=self.price,
            currency="USD",
        )


class FakeProvider:
    """Accepts most faxes, sometimes loses one or its answer, and reports truthfully what it accepted."""

    def __init__(self, dice: Random, db: StoreFixture) -> None:
        self._dice = dice
        self._world = db
        self.calls: list[Call] = []
        #: sends that a paused or ended batch may still make; unlimited for a batch without an entry
        self.left: dict[str, int] = {}
        #: jobs that were sent in spite of it
        self.forbidden: list[str] = []
        #: senders that the calls of changed batches have now, and calls of before that may still be made
        self.senders: dict[str, str] = {}
        self.left_of_before: dict[str, int] = {}
        #: pairs of calls that were made to one number at the same time
        self.overlapping: list[tuple[Call, Call]] = []

    async def send(
        self, order: FaxOrder, *, total_s: float, may_send: object = None, failpoint: FailpointHook = no_failpoint
    ) -> SendOutcome:
        await self._pause()
        if callable(may_send) and not may_send():
            return NotSent(reason="too late")
        event = self._dice.choices(("taken", "unanswered", "lost", "unsent"), (80, 8, 6, 6))[0]
        if event == "unsent":
            return NotSent(reason="no connection")
        if event == "lost":
            return Unclear(reason="reset before it was taken")
        call = self._take(order)
        await self._pause()
        return Accepted(update=call.fax_update) if event == "taken" else Unclear(reason="no answer", status=502)

    async def check(self) -> None:
        """The credentials are always good."""

    async def fax(self, fax_id: str, *, total_s: float) -> FaxUpdate | None:
        await self._pause()
        return next((call.fax_update for call in self.calls if call.id == fax_id), None)

    async def list_page(self, query: FaxQuery, page: int, *, total_s: float) -> ListPage:
        await self._pause()
        low, high = query.created_from_ms or 0, query.created_to_ms or 0
        shown_ms = self._world.true_us // 1000 - LIST_DELAY_MS
        listed = [c for c in self.calls if c.to.startswith(query.to) and low <= c.created_ms <= min(high, shown_ms)]
        return ListPage(faxes=tuple(call.fax_update for call in listed), page=1, total_pages=1)

    def end_calls(self, share: float) -> list[FaxUpdate]:
        """End a share of the live calls, one in eight of them with a failure, and return their updates."""
        live = [call for call in self.calls if call.status is FaxStatus.UNFINISHED and self._dice.random() < share]
        for call in live:
            call.status = self._dice.choices((FaxStatus.COMPLETED, FaxStatus.FAILURE), (7, 1))[0]
            call.ended_ms = self._world.true_us // 1000
        return [call.fax_update for call in live]

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

    def _take(self, order: FaxOrder) -> Call:
        labels = AttemptLabels.read(order.labels)
        batch = labels.job.partition(".")[0]
        if batch in self.left:
            self.left[batch] -= 1
            if self.left[batch] < 0:
                self.forbidden.append(labels.job)
        if order.options.sender != self.senders.get(batch, order.options.sender):
            self.left_of_before[batch] -= 1
            if self.left_of_before[batch] < 0:
                self.forbidden.append(labels.job)
        number = len(self.calls)
        call = Call(
            id=f"F{number:06}",
            to=order.to[0],
            job=labels.job,
            attempt=labels.attempt,
            write_epoch=labels.write_epoch,
            created_ms=self._world.true_us // 1000,
        )
        live = [other for other in self.calls if other.to == call.to and other.status is FaxStatus.UNFINISHED]
        self.overlapping += [(other, call) for other in live]
        self.calls.append(call)
        return call

    async def _pause(self) -> None:
        for _ in range(self._dice.randrange(4)):
            await asyncio.sleep(0)


class FaultyProvider(FakeProvider):
    """Accepts every fax, or gives the answer of the test before or after it accepts a fax."""

    def __init__(self, db: StoreFixture) -> None:
        super().__init__(Random(1), db)
        self.refusal: Callable[[FaxOrder], SendOutcome | None] = lambda order: None
        #: runs after a fax is accepted and before the answer
        self.before_answer: Callable[[], Awaitable[None]] | None = None
        self.takes_unclear = False
        self.sends = 0

    def end_calls(self, share: float) -> list[FaxUpdate]:
        ended = [call for call in self.calls if call.status is FaxStatus.UNFINISHED]
        for call in ended:
            call.status, call.ended_ms = FaxStatus.COMPLETED, self._world.ms
        return [call.fax_update for call in ended]

    async def send(
        self, order: FaxOrder, *, total_s: float, may_send: object = None, failpoint: FailpointHook = no_failpoint
    ) -> SendOutcome:
        if callable(may_send) and not may_send():
            return NotSent(reason="too late")
        self.sends += 1
        refusal = self.refusal(order)
        taken = refusal is None or (self.takes_unclear and isinstance(refusal, Unclear))
        call = self._take(order) if taken else None
        if refusal is not None:
            return refusal
        assert call is not None
        fax_update = call.fax_update
        if self.before_answer:
            await self.before_answer()
        return Accepted(update=fax_update)
