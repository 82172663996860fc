"""A small world for generated lives of one job: a provider with its clock, and a store that compares and sets."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dispatcher.core.job import FaxFate, HistoryEntry, Record, State
from dispatcher.core.lifecycle import Event, next_state
from dispatcher.core.outcome import Accepted, FaxStatus, FaxUpdate, SendOutcome
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.lookup import after_empty_lookup, after_read, is_last_lookup, lookup_due_ms
from dispatcher.core.settlement.send_result import after_send
from dispatcher.core.settlement.transition import Transition

Decide = Callable[[Record, DecisionContext], Transition | None]

START = 1_772_532_000_000
RANK = {State.LEASED: 1, State.SENDING: 2, State.ACCEPTED: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a fax ends. Pages that all arrived before a failure are taken for a delivery that is not confirmed."""

    fate: FaxFate
    error: tuple[str, int] = ("", 0)

    @property
    def pages_sent(self) -> int:
        return 0 if self.fate is FaxFate.FAILED else 2


DELIVERED = End(fate=FaxFate.DELIVERED)
BUSY = End(fate=FaxFate.FAILED, error=("CALL_ERROR", 17))
PROTOCOL = End(fate=FaxFate.FAILED, error=("FAX_ERROR", 12))
BAD_NUMBER = End(fate=FaxFate.FAILED, error=("CALL_ERROR", 34))
UNCONFIRMED = End(fate=FaxFate.PAGES_ARRIVED, error=("FAX_ERROR", 8))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueFax:
    """What the provider did with one request."""

    id: str
    attempt: int
    created_ms: int
    ends_ms: int
    end: End

    @property
    def price(self) -> int:
        """Calls that reach nobody cost less."""
        return (100 if self.end.fate is FaxFate.FAILED else 4_500) + self.attempt

    def fax_update(self, now_ms: int, *, priced: bool = True) -> FaxUpdate:
        """What the provider says of it at that moment; it may name the price later."""
        if now_ms < self.ends_ms:
            status = FaxStatus.UNFINISHED
            return FaxUpdate(fax_id=self.id, status=status, attempt=self.attempt, created_ms=self.created_ms)
        return FaxUpdate(
            fax_id=self.id,
            status=FaxStatus.COMPLETED if self.end.fate is FaxFate.DELIVERED else FaxStatus.FAILURE,
            attempt=self.attempt,
            error_type=self.end.error[0],
            error_code=self.end.error[1],
            pages_sent=self.end.pages_sent,
            pages_total=2,
            created_ms=self.created_ms,
            ended_ms=self.ends_ms,
            price=self.price if priced else 0,
            currency="USD" if priced else "",
        )


def truly_doubled(faxes: list[TrueFax]) -> bool:
    """By the definition, from what the provider did."""
    pairs = [(first, second) for first in faxes for second in faxes if first.created_ms < second.created_ms]
    return any(earlier.ends_ms > later.created_ms or earlier.end.fate is not FaxFate.FAILED for earlier, later in pairs)


@dataclass(slots=True)
class StoredJob:
    """One job's record and history. A step stands only if the record is the one that it was decided from."""

    record: Record = field(default_factory=Record)
    history: tuple[HistoryEntry, ...] = ()
    #: the state in which the job ended, and how much of the history was there then
    ended: tuple[State, int] | None = None
    steps: list[Transition] = field(default_factory=list)

    def settle(
        self, decide: Decide, case: DecisionContext, meanwhile: Callable[[], object] = lambda: None
    ) -> Transition | None:
        """Decide on what was read, and again when ``meanwhile`` something else was written."""
        record, history = self.record, self.history
        transition = decide(record, replace(case, history=history))
        meanwhile()
        while transition is not None:
            if self.record == record:
                self._apply(transition)
                return transition
            record, history = self.record, self.history
            transition = decide(record, replace(case, history=history))
        return None

    def begin(self, now_ms: int) -> int:
        """Claim and begin, as the scripts do it."""
        state = next_state(next_state(self.record.state, Event.CLAIMED), Event.BEGUN)
        attempt = self.record.attempt + 1
        self.record = replace(
            self.record, state=state, attempt=attempt, lookups=0, unclear=False, fax_id="", began_ms=now_ms
        )
        return attempt

    def _apply(self, transition: Transition) -> None:
        old, new = self.record, transition.record
        assert new.attempt == old.attempt
        if transition.event is None:
            assert new.state is old.state
            assert new != old
        else:
            assert not old.state.final
            assert new.state is next_state(old.state, transition.event)
            assert RANK.get(new.state, 4) >= RANK.get(old.state, 0) or old.state is State.WAITING
        self.record = new
        self.history += (transition.history,) if transition.history else ()
        self.steps.append(transition)
        if new.state.final and self.ended is None:
            self.ended = (new.state, len(self.history))


@dataclass(slots=True)
class JobSimulation:
    """The job, the provider, and all that was ever said of its faxes."""

    policy: Policy = field(default_factory=Policy)
    now_ms: int = START
    job: StoredJob = field(default_factory=StoredJob)
    faxes: list[TrueFax] = field(default_factory=list)
    said: list[FaxUpdate] = field(default_factory=list)

    @property
    def case(self) -> DecisionContext:
        return DecisionContext(policy=self.policy, now_ms=self.now_ms, chance=0.5)

    def post(self, end: End | None, lasts_ms: int) -> int:
        """Begin an attempt and send it; with no end the request never reaches the provider. Returns the attempt."""
        attempt = self.job.begin(self.now_ms)
        if end is not None:
            created_ms = self.now_ms + 100
            self.faxes.append(
                TrueFax(
                    id=f"F{attempt}", attempt=attempt, created_ms=created_ms, ends_ms=created_ms + lasts_ms, end=end
                )
            )
        self.now_ms += 100
        return attempt

    def answer(self, attempt: int, outcome: SendOutcome | None) -> None:
        """The worker writes down the answer; None: that the provider took the fax, as it was when it was taken."""
        if outcome is None:
            fax = next(fax for fax in self.faxes if fax.attempt == attempt)
            outcome = Accepted(update=fax.fax_update(fax.created_ms))
        said = outcome
        self.job.settle(lambda record, case: after_send(record, said, case, attempt=attempt), self.case)

    def tell(self, fax_update: FaxUpdate, meanwhile: Callable[[], object] = lambda: None) -> None:
        """A callback or a line of a list arrives, be it the first time or again."""
        self.said.append(fax_update)
        self.job.settle(lambda record, case: after_update(record, fax_update, case), self.case, meanwhile)

    def look(self, *, visible: bool) -> None:
        """Look for the attempt that is being sent; a list that lags shows nothing of the job."""
        record = self.job.record
        self.now_ms = max(self.now_ms, lookup_due_ms(record, self.policy))
        asked_ms, last = self.now_ms, is_last_lookup(record, self.policy)
        listed = [fax.fax_update(asked_ms) for fax in self.faxes] if visible else []
        for fax_update in listed:
            self.tell(fax_update)
        if not any(fax_update.attempt == record.attempt for fax_update in listed):
            self.job.settle(
                lambda record, case: after_empty_lookup(
                    record, case, attempt=record.attempt, asked_ms=asked_ms, exact=last
                ),
                self.case,
            )

    def write_off(self) -> None:
        """The list lags longer than the search period."""
        while self.job.record.state is State.SENDING:
            self.look(visible=False)

    def read_back(self) -> None:
        fax = next(fax for fax in self.faxes if fax.id == self.job.record.fax_id)
        fax_update = fax.fax_update(self.now_ms)
        self.job.settle(lambda record, case: after_read(record, fax_update, case), self.case)

    def pass_time(self, ms: int) -> None:
        self.now_ms += ms

    def run_out(self) -> None:
        """Every fax ends, and whatever is in flight is looked at until it is known."""
        self.now_ms = max([self.now_ms, *(fax.ends_ms for fax in self.faxes)])
        for fax in self.faxes:
            self.tell(fax.fax_update(self.now_ms))
        while self.job.record.state is State.SENDING:
            self.look(visible=True)
        assert self.job.record.state is not State.ACCEPTED
