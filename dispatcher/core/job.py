"""A job: one recipient of a batch, its states and its record.

A job ends in exactly one final state. An attempt is one send (POST) that was begun; it counts as made if the
provider accepted it or may have accepted it (``attempts_made``). A lease is the right of one worker to start a few jobs
until a deadline.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple


class State(IntEnum):
    """The states of a job. The numbers are stored in records: never reuse one."""

    VOID = 0  # a row that is not a job: its number was already in the batch
    WAITING = 1
    LEASED = 2
    SENDING = 3
    ACCEPTED = 4
    DELIVERED = 10
    DELIVERED_UNCONFIRMED = 11
    FAILED = 12
    CANCELLED = 13
    EXPIRED = 14
    UNREADABLE = 255  # stands for a record that cannot be decoded; it is never stored, and nothing is done with it

    @property
    def label(self) -> str:
        """The name used in the API, the command line and metrics."""
        return self.name.lower()

    @property
    def final(self) -> bool:
        """Whether the state never changes again."""
        return State.DELIVERED <= self < State.UNREADABLE


LIVE = (State.WAITING, State.LEASED, State.SENDING, State.ACCEPTED)
FINAL = (State.DELIVERED, State.DELIVERED_UNCONFIRMED, State.FAILED, State.CANCELLED, State.EXPIRED)
JOB_STATES = LIVE + FINAL


#: maximum number of digits of a row, and of characters of a wrong id that its error repeats
_ROW_DIGITS, _SHOWN = 10, 100
_FIELD_SIZE = 100


class JobId(NamedTuple):
    """The name of a job: ``<batch>.<row>``."""

    batch: str
    row: int

    def __str__(self) -> str:
        return f"{self.batch}.{self.row}"

    @classmethod
    def parse(cls, text: str) -> "JobId":
        """Read ``<batch>.<row>``. Raises ValueError if the text has another form."""
        batch, dot, row = text.rpartition(".")
        if not (dot and batch.isalnum() and row.isascii() and row.isdigit() and len(row) <= _ROW_DIGITS):
            raise ValueError(f"{text[:_SHOWN]!r} is not a job id of the form <batch>.<row>")
        return cls(batch, int(row))


class Recipient(NamedTuple):
    """One accepted row of the producer's list. A million are made of a list; a tuple takes a third of the time."""

    #: line of the upload, from 1 (for CSV the header is line 1)
    line: int
    #: E.164 with a plus sign
    number: str
    #: two letters, or "001" for numbers of no country
    region: str = ""
    #: the producer's own id of this recipient
    reference: str = ""
    #: all other columns, for cover pages
    fields: Mapping[str, str] = MappingProxyType({})


def size_of(recipients: Sequence[Recipient]) -> int:
    """Return the characters of their texts, and 100 for each field's name and place in memory.

    It bounds what is kept in memory. It is called for every row of a list, so it joins texts instead of adding lengths.
    """
    fields = [recipient.fields for recipient in recipients]
    texts = chain.from_iterable(values.values() for values in fields)
    references = [recipient.reference for recipient in recipients]
    return len("".join(texts)) + len("".join(references)) + _FIELD_SIZE * sum(map(len, fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRow:
    """One row that did not become a job, and why."""

    line: int
    #: as it was uploaded, cut to 40 characters
    number: str
    #: a short fixed word such as ``extension``
    reason: str
    #: a sentence for people that says what to do
    detail: str


#: ``Record.history_revision`` counts modulo this
REVISION_MODULUS = 32


class AttemptOutcome(StrEnum):
    """The outcome that an entry of a job's history records."""

    #: the provider accepted the fax and it failed
    FAILED = "failed"
    #: the provider accepted nothing
    REFUSED = "refused"
    #: the answer was unclear and the fax was not found within the search period, or the provider no longer knows an
    #: accepted fax
    VANISHED = "vanished"
    #: accepted, and the provider never reported a result
    UNENDED = "unended"
    #: a callback about a fax that the provider does not know; it changed nothing
    UNCONFIRMED_CALLBACK = "unconfirmed"
    #: an update of a fax other than the current one
    LATE = "late"
    #: such an update, when the provider had both faxes at the same time or under one attempt number
    DOUBLED = "doubled"
    #: nothing was sent, because the number is on the do-not-fax list
    SUPPRESSED = "suppressed"
    #: the provider named the price of a fax after its end; nothing else is new
    PRICED = "priced"


class FaxFate(StrEnum):
    """The known state of one fax at the provider."""

    UNFINISHED = "unfinished"
    DELIVERED = "delivered"
    #: the call failed, but pages arrived and the fax is not sent again
    PAGES_ARRIVED = "unconfirmed"
    #: the provider reported no result for so long that bulkfax stopped waiting for it
    UNENDED = "unended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureCode:
    """The category of a failure, and the provider's type and code. All are empty if there is no failure."""

    category: str = ""
    error_type: str = ""
    #: HTTP status under the type ``http``; 0 if there is none
    error_code: int = 0


NO_FAILURE = FailureCode()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureCounters:
    """How often a job has failed, in the three ways that have a limit of their own."""

    #: calls that failed before a machine answered
    dials: int = 0
    #: calls in which a machine answered, without progress
    tries: int = 0
    #: 5xx answers, and sends that vanished
    server_errors: int = 0


NO_FAILURES_COUNTED = FailureCounters()


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """The outcome of one attempt, or an update of an earlier one. A plain delivery leaves none."""

    attempt: int
    at_ms: int
    outcome: AttemptOutcome
    failure: FailureCode = NO_FAILURE
    fax_id: str = ""
    #: state of the fax; None if there is no fax, or the provider does not know it
    fate: FaxFate | None = None
    #: when the provider created the fax and when it ended, by the provider's clock; 0 where it did not say
    created_ms: int = 0
    ended_ms: int = 0
    pages_sent: int = 0
    pages_total: int = 0
    #: price of the fax in units (``core.prices``), and its currency; empty if the provider has not named it
    price: int = 0
    currency: str = ""
    #: the provider answered no send since the attempt began, so its failure is not counted
    excused: bool = False
    #: the decision in a sentence
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The stored state of a job, of fixed width. All times are milliseconds since 1970."""

    state: State = State.WAITING
    #: leases in a row that ended before the worker began
    strikes: int = 0
    #: the recipient's country (two letters, or ``001``), fixed when the row is added; empty when it is not known
    country: str = ""
    #: number of the latest attempt begun; numbers are never used twice, refused sends leave gaps
    attempt: int = 0
    #: leased: number of the lease; sending: number of the ``begin`` call; otherwise 0
    lease: int = 0
    #: the last failure; none after a delivery
    failure: FailureCode = NO_FAILURE
    counters: FailureCounters = NO_FAILURES_COUNTED
    #: look-ups of the present attempt that were completed and found nothing, or read-backs without anything new
    lookups: int = 0
    #: a fax was accepted while an earlier one of the same job was unfinished, delivered or unconfirmed, as far as
    #: is known now
    doubled: bool = False
    #: sending: the answer was unclear and the attempt is searched for. accepted: the provider did not know the fax at
    #: the last read, and ``lookups`` counts such reads in a row
    unclear: bool = False
    #: the next attempt is sent in FINE, whatever the batch asks for
    force_fine: bool = False
    #: revision of the history, modulo ``REVISION_MODULUS``. Part of the compare-and-set: a decision made before the
    #: newest history entry is rejected.
    history_revision: int = 0
    #: reads of the present attempt that were made to confirm a callback
    confirming_reads: int = 0
    pages_sent: int = 0
    pages_total: int = 0
    #: delivered: price of the fax, as in ``HistoryEntry``; otherwise none
    price: int = 0
    currency: str = ""
    #: sending: when the attempt began. From the acceptance on: when the provider created the fax ``fax_id``
    began_ms: int = 0
    #: when the state changed last
    changed_ms: int = 0
    fax_id: str = ""


#: outcomes of history entries that are no attempt: the provider got nothing, or nothing was sent
_NO_ATTEMPT = (AttemptOutcome.REFUSED, AttemptOutcome.UNCONFIRMED_CALLBACK, AttemptOutcome.SUPPRESSED)


#: states in which the latest attempt may have no entry
_UNTOLD = frozenset({State.SENDING, State.ACCEPTED, State.DELIVERED})


def attempts_made(record: Record, history: Iterable[HistoryEntry]) -> int:
    """Return how many attempts the provider accepted or may have accepted.

    ``record.attempt`` is a number, not a count: a send that surely did not arrive only uses up a number. Sends that
    vanished during a long outage count up to a limit, because later ones leave no entry.
    """
    attempts = {entry.attempt for entry in history if entry.outcome not in _NO_ATTEMPT} if history else set[int]()
    if record.state in _UNTOLD:
        attempts.add(record.attempt)
    return len(attempts)


def last_reason(history: Sequence[HistoryEntry]) -> str:
    """Return the sentence of the last entry that tells how the job got where it is; empty without one."""
    return next((entry.why for entry in reversed(history) if entry.outcome is not AttemptOutcome.PRICED), "")
