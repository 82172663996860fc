"""One transition of a job as data, and how it is completed: the state from the table, the mark of doubled faxes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dispatcher.core.dead_numbers import CallEnd
from dispatcher.core.job import HistoryEntry, Record, State
from dispatcher.core.lifecycle import Event, next_state
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.retry.waits import poll_at_ms, read_at_ms
from dispatcher.core.retry_table.rule import Scope
from dispatcher.core.settlement.known_faxes import is_doubled, known_faxes
from dispatcher.core.settlement.lost_writes import LostWrite


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequest:
    """A hold that a failure asks for: after ``hold_after`` failures of the scope, at once if that is 1."""

    scope: Scope
    category: str
    cause: str
    hold_after: int = 1
    #: seconds to the first probe and between probes; empty: until someone releases it
    probes_s: tuple[float, ...] = ()
    #: what is held as well when its ``hold_after`` scopes were held like this within few sends
    wider: "HoldRequest | None" = None


def job_hold(entry: HistoryEntry) -> HoldRequest:
    """Return the hold of a job alone, until someone releases it, for what the entry tells."""
    return HoldRequest(scope=Scope.JOB, category=entry.failure.category, cause=entry.why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One transition of a job, as data."""

    #: None: an update that is kept as evidence, and the job stays in its state
    event: Event | None
    #: the new record; ``fire`` sets its state
    record: Record
    #: when a job that stays live is looked at next, milliseconds since 1970; means nothing when it ``holds_its_job``
    next_ms: int = 0
    history: HistoryEntry | None = None
    #: seconds before the number may be called again. None: the attempt has not ended, the number stays locked.
    rest_s: float | None = None
    #: attempts that count as made
    spent: int = 0
    #: pages that have arrived, and what faxes have cost in units by currency (``core.prices``), to be added
    pages: int = 0
    costs: Mapping[str, int] = field(default_factory=dict)
    #: a hold of this job alone begins in the same write as the move, any other right after it
    hold: HoldRequest | None = None
    #: causes of holds that the outcome disproves, if this attempt is the probe of one
    disproves: frozenset[str] = frozenset()
    #: the update proves that the store has lost the begin of this attempt
    lost: LostWrite | None = None
    #: how the call ended that the transition reports
    call: CallEnd | None = None
    #: the provider has accepted another fax under the same attempt's number before
    accepted_twice: bool = False

    @property
    def holds_its_job(self) -> bool:
        """Whether the job waits from this move on until someone releases it."""
        hold, waits = self.hold, self.record.state is State.WAITING
        return waits and hold is not None and hold.scope is Scope.JOB and hold.hold_after == 1 and not hold.probes_s


def fire(old: Record, transition: Transition, context: DecisionContext) -> Transition:
    """Complete a transition: the table decides the new state, and all known faxes whether the job is doubled.

    Raises:
        IllegalTransition: the event cannot happen in the old record's state.
    """
    state = old.state if transition.event is None else next_state(old.state, transition.event)
    record = replace(transition.record, state=state)
    history = [*context.history, transition.history] if transition.history else context.history
    doubled = is_doubled(known_faxes(record, history).values())
    return replace(transition, record=replace(record, doubled=doubled))


def attempt_over(record: Record, context: DecisionContext) -> Record:
    """Return the record without what belongs to an attempt that is over."""
    return replace(record, lease=0, lookups=0, unclear=False, changed_ms=context.now_ms)


def send_deadline_ms(record: Record, policy: Policy) -> int:
    """Return the last moment at which the request of an attempt that is being sent can have been under way."""
    return record.began_ms + round((policy.send_window_s + policy.post_total_s) * 1000)


def overdue_ms(context: DecisionContext) -> int:
    """Return when a fax that is accepted now is asked about, unless a callback comes first."""
    if context.polling:
        return poll_at_ms(0, context.policy, context.now_ms)
    return read_at_ms(context.policy.callback_overdue_s, context.now_ms)
