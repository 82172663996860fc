"""One move of a job as data, and what it is decided from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dispatcher.core.job import HistoryEntry, Record
from dispatcher.core.lifecycle import Event, check_move
from dispatcher.core.policy import Policy
from dispatcher.core.retry import poll_at_ms
from dispatcher.core.rule import Scope
from dispatcher.core.settlement.known_faxes import is_doubled, known_faxes
from dispatcher.core.settlement.lost_writes import LostWrite
from dispatcher.core.waits import read_at_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionContext:
    """All that a decision rests on beside record and news."""

    policy: Policy
    now_ms: int
    #: in [0, 1)
    chance: float
    #: what became of earlier attempts
    history: Sequence[HistoryEntry] = ()
    #: what the batch does when some pages arrived before a call failed; empty: as the policy says
    on_partial: str = ""
    #: without a public URL news comes by polling
    polling: bool = False

    def after_ms(self, seconds: float) -> int:
        """The time so long from now, milliseconds since 1970."""
        return self.now_ms + round(seconds * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequest:
    """A hold that the failure asks for; after ``hold_after`` failures of the scope, at once when that is 1."""

    scope: Scope
    category: str
    cause: str
    hold_after: int = 1
    #: seconds to the first probe and between probes; none: until someone releases it
    probes_s: tuple[float, ...] = ()
    #: what is held as well when its ``hold_after`` scopes were held like this within the policy's few sends
    wider: "HoldRequest | None" = None


#: ``Step.next_ms`` of a job that waits until someone releases it: the store holds it in the same write
HELD_MS = 253_402_300_799_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One move of a job, as data."""

    #: None: the news is evidence, and the job stays where it is
    event: Event | None
    record: Record
    #: when a job that stays live is looked at next, milliseconds since 1970
    next_ms: int = 0
    history: HistoryEntry | None = None
    #: seconds the number rests now that the attempt ended; None: the attempt goes on
    rest_s: float | None = None
    #: attempts that count as made
    spent: int = 0
    hold: HoldRequest | None = None
    #: causes of holds that the outcome shows to be gone, if this attempt is the probe of one
    disproves: frozenset[str] = frozenset()
    #: the news proves that the store has lost the begin of this attempt
    lost: LostWrite | None = None
    #: the provider has accepted another fax under the same attempt's number before
    accepted_twice: bool = False


def move(old: Record, step: Transition, case: DecisionContext) -> Transition:
    """The step with what follows from all that is known of the job's faxes.

    Raises IllegalMove if the table of states does not have it.
    """
    if step.event is not None:
        check_move(old.state, step.event, step.record.state)
    history = [*case.history, step.history] if step.history else case.history
    doubled = is_doubled(known_faxes(step.record, history).values())
    return replace(step, record=replace(step.record, doubled=doubled))


def send_deadline_ms(record: Record, policy: Policy) -> int:
    """The last moment at which the request of an attempt that is being sent can have been under way."""
    return record.began_ms + round((policy.send_window_s + policy.post_total_s) * 1000)


def overdue_ms(case: DecisionContext) -> int:
    """When a fax that is accepted now is asked about, if nothing was heard of it."""
    if case.polling:
        return poll_at_ms(0, case.policy, case.now_ms)
    return read_at_ms(case.policy.callback_overdue_s, case.now_ms)
