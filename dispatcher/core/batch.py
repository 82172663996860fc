"""A batch: one mailing. Its definition, the commands that change it, and the state that people see."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dispatcher.core.hold_scope import HoldScope
from dispatcher.core.job import FINAL, LIVE, State
from dispatcher.core.options import FaxOptions
from dispatcher.core.retry_table.rule import Scope


class Control(StrEnum):
    """The state that commands have left a batch in. The state shown to people also follows from the counts."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    #: it has ended, and what is stored of it is being removed: for everybody outside it is gone
    DELETING = "deleting"


class Command(StrEnum):
    """A command to a batch, from a producer or the scheduler."""

    START = "start"
    #: a start that does not wait for the start time, also not of a batch that waits for it
    START_NOW = "start_now"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    EXPIRE = "expire"
    DELETE = "delete"


class CommandRefusal(StrEnum):
    """Why a command on a batch was not carried out."""

    #: the table of commands does not have it for the batch's present control
    NOT_ALLOWED = "not_allowed"
    #: all jobs are final: there is nothing left to pause, cancel or expire
    ENDED = "ended"
    #: jobs are not final, or became so too short a while ago: it cannot be deleted yet
    LIVE = "live"
    #: the deadline passed before the batch was started or resumed
    LATE = "late"
    #: the batch, or what it was compared with before its start, has changed meanwhile: compare again
    CHANGED = "changed"


class BatchState(StrEnum):
    """The state of a batch shown to people."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    HELD = "held"
    PAUSED = "paused"
    #: cancelled or expired, with calls still running out
    ENDING = "ending"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Priority(StrEnum):
    """The two classes of batches. Bulk keeps a floor while urgent batches are sent."""

    URGENT = "urgent"
    BULK = "bulk"


#: what the waiting jobs of a batch that has ended become
FINAL_STATES: Mapping[Control, State] = {Control.CANCELLED: State.CANCELLED, Control.EXPIRED: State.EXPIRED}

#: Which command is allowed when, and its result. A command whose result is the present control is a repeat.
#: To start a draft or to resume a paused batch before its start time leads to SCHEDULED instead. Once a batch waits for
#: its start time, only START_NOW makes it begin earlier: a client whose answer was lost sends START again by itself.
COMMAND_TRANSITIONS: Mapping[tuple[Control, Command], Control] = {
    (Control.DRAFT, Command.START): Control.RUNNING,
    (Control.DRAFT, Command.START_NOW): Control.RUNNING,
    (Control.DRAFT, Command.CANCEL): Control.CANCELLED,
    (Control.DRAFT, Command.EXPIRE): Control.EXPIRED,
    (Control.SCHEDULED, Command.START): Control.SCHEDULED,
    (Control.SCHEDULED, Command.START_NOW): Control.RUNNING,
    (Control.SCHEDULED, Command.PAUSE): Control.PAUSED,
    (Control.SCHEDULED, Command.RESUME): Control.SCHEDULED,
    (Control.SCHEDULED, Command.CANCEL): Control.CANCELLED,
    (Control.SCHEDULED, Command.EXPIRE): Control.EXPIRED,
    (Control.RUNNING, Command.START): Control.RUNNING,
    (Control.RUNNING, Command.START_NOW): Control.RUNNING,
    (Control.RUNNING, Command.PAUSE): Control.PAUSED,
    (Control.RUNNING, Command.RESUME): Control.RUNNING,
    (Control.RUNNING, Command.CANCEL): Control.CANCELLED,
    (Control.RUNNING, Command.EXPIRE): Control.EXPIRED,
    (Control.PAUSED, Command.PAUSE): Control.PAUSED,
    (Control.PAUSED, Command.RESUME): Control.RUNNING,
    (Control.PAUSED, Command.CANCEL): Control.CANCELLED,
    (Control.PAUSED, Command.EXPIRE): Control.EXPIRED,
    (Control.CANCELLED, Command.CANCEL): Control.CANCELLED,
    (Control.EXPIRED, Command.EXPIRE): Control.EXPIRED,
    # allowed once all jobs are final
    (Control.SCHEDULED, Command.DELETE): Control.DELETING,
    (Control.RUNNING, Command.DELETE): Control.DELETING,
    (Control.PAUSED, Command.DELETE): Control.DELETING,
    (Control.CANCELLED, Command.DELETE): Control.DELETING,
    (Control.EXPIRED, Command.DELETE): Control.DELETING,
    (Control.DELETING, Command.DELETE): Control.DELETING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The definition of a batch by its producer; all times are milliseconds since 1970.

    What a fax is built from never changes within a version.
    """

    id: str
    name: str
    created_ms: int
    #: SHA-256 of uploaded documents, in the order of their pages
    documents: tuple[str, ...] = ()
    #: documents that the provider fetches itself; their pages come first
    content_urls: tuple[str, ...] = ()
    options: FaxOptions = field(default_factory=FaxOptions)
    priority: Priority = Priority.BULK
    weight: int = 1
    default_country: str = "US"
    #: what to do when some pages arrived before the call failed; empty: the policy's choice
    on_partial: str = ""
    start_at_ms: int = 0
    deadline_ms: int = 0
    #: the batch of which this one is a rerun, and all of them if there are several
    parent: str = ""
    parents: tuple[str, ...] = ()
    #: why it is a rerun, as whoever asked for it said
    reason: str = ""
    #: maximum sends in a second; 0: the account's rate alone
    max_per_second: float = 0.0
    #: numbers that are on the do-not-fax list only because a call proved them dead are faxed
    ignore_dead_numbers: bool = False
    #: each job that ends has an event
    job_events: bool = False
    #: the producer's own keys and values
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: counts from 1; each change of what is sent makes the next one
    version: int = 1
    #: differs between all versions, also if a version number comes twice because Redis lost writes; empty: the first
    tag: str = ""

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes whose holds stop the whole batch."""
        return own_scopes(self.id, self.documents) | {str(HoldScope(Scope.ACCOUNT)), str(HoldScope(Scope.PROVIDER))}

    @property
    def size(self) -> int:
        """Characters of the texts that may be long. It bounds what is kept in memory."""
        fields = self.options.cover_page_data
        texts = (*fields.keys(), *fields.values(), *self.metadata.keys(), *self.metadata.values())
        return sum(map(len, (*self.content_urls, *texts)))


def own_scopes(batch: str, documents: Iterable[str]) -> frozenset[str]:
    """Return the scopes whose holds stop the whole batch, without account and provider. Documents are SHA-256 sums."""
    scopes = [HoldScope(Scope.BATCH, batch), *(HoldScope(Scope.DOCUMENT, sha256) for sha256 in documents if sha256)]
    return frozenset(map(str, scopes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts of a batch's jobs: by state, and of final and waiting ones by (state, category)."""

    by_state: Mapping[State, int]
    by_category: Mapping[tuple[State, str], int]

    @property
    def live(self) -> int:
        """Jobs in live states."""
        return sum(self.by_state.get(state, 0) for state in LIVE)

    @property
    def final(self) -> int:
        """Jobs in final states."""
        return sum(self.by_state.get(state, 0) for state in FINAL)


_ENDED = {Control.CANCELLED: BatchState.CANCELLED, Control.EXPIRED: BatchState.EXPIRED}


def batch_state(control: Control, tally: Tally, *, held: bool) -> BatchState:
    """Return the state shown to people. A batch is finished if it was started and all its jobs have ended."""
    if control is Control.DRAFT:
        return BatchState.DRAFT
    if control in _ENDED:
        return BatchState.ENDING if tally.live else _ENDED[control]
    if not tally.live:
        return BatchState.FINISHED
    if held and control is Control.RUNNING:
        return BatchState.HELD
    return BatchState(control.value)
