"""Why no fax is sent, or no more than the rate: one closed set of words, and the rule that picks one of them.

Pure. Whenever a fax could be sent and none is, exactly one word says why. Several may be true at a time; the first in
the order of ``LimitedBy`` counts, because ending it would help first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dispatcher.core.batch import Control


class LimitedBy(StrEnum):
    """Why nothing is sent, or no more than the rate. Checked in this order."""

    #: the batch is a draft, or its start time is not reached
    NOT_STARTED = "not_started"
    #: only a part of the recipients was started
    PARTIAL_START = "partial_start"
    PAUSED = "paused"
    #: Redis takes no writes, or a key of the account is of another type
    STORE = "store"
    NO_SCHEDULER = "no_scheduler"
    NO_WORKER = "no_worker"
    #: too few replicas confirm what is written
    REPLICAS = "replicas"
    #: the account, the provider, the batch, its document or the country of all its due jobs is held
    HOLD = "hold"
    #: the provider asked to wait (429, or 503 with a time)
    PROVIDER_WAIT = "provider_wait"
    #: the limit of a minute or a day is used up
    ALLOWANCE = "allowance"
    #: as many sends are in flight as the settings allow
    IN_FLIGHT = "in_flight"
    #: nothing is due, and the number of a job that was due is in a call or rests after one
    NUMBER_BUSY = "number_busy"
    #: all jobs that are left wait for a retry or a later start
    WAITING_FOR_RETRY = "waiting_for_retry"
    #: the batch's own limit
    BATCH_RATE = "batch_rate"
    #: the account's rate is used fully
    RATE = "rate"


#: each word in a sentence for people
SENTENCES: Mapping[LimitedBy, str] = {
    LimitedBy.NOT_STARTED: "it is not started, or its start time is not reached",
    LimitedBy.PARTIAL_START: "only a part of its recipients was started",
    LimitedBy.PAUSED: "it is paused",
    LimitedBy.STORE: "Redis takes no writes, or a key of ours in it is of another type",
    LimitedBy.NO_SCHEDULER: "no scheduler runs",
    LimitedBy.NO_WORKER: "no worker runs",
    LimitedBy.REPLICAS: "too few replicas of Redis confirm what is written",
    LimitedBy.HOLD: "everything that is due is held",
    LimitedBy.PROVIDER_WAIT: "the provider asked to wait",
    LimitedBy.ALLOWANCE: "the limit of a minute or a day is used up",
    LimitedBy.IN_FLIGHT: "as many sends are in flight as the settings allow",
    LimitedBy.NUMBER_BUSY: "the numbers of the jobs that were due are in a call, or rest after one",
    LimitedBy.WAITING_FOR_RETRY: "all jobs that are left wait for a retry or a later start",
    LimitedBy.BATCH_RATE: "the batch's own rate is used fully",
    LimitedBy.RATE: "the account's rate is used fully",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountWork:
    """The facts about the whole account. ``due`` counts jobs of running batches that may be leased now."""

    due: int
    #: jobs of running batches that wait for a later time, and whether some of them wait for their number
    waiting_later: int = 0
    number_busy: bool = False
    #: jobs of running batches of which only a part was started
    withheld: int = 0
    #: live jobs of batches that are paused, and of drafts and batches whose start time is not reached
    paused: int = 0
    not_started: int = 0
    #: of the due jobs, those whose batch, document or country is held
    due_held: int = 0
    #: of the due jobs, those of batches whose own rate is used fully
    due_paced: int = 0
    #: the account or the provider is held
    held: bool = False
    writable: bool = True
    scheduler_alive: bool = True
    workers_alive: int = 1
    replicas_short: bool = False
    blocked_by_provider: bool = False
    allowance_used_up: bool = False
    in_flight: int = 0
    max_in_flight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWork:
    """The facts about one batch. ``waiting`` counts its waiting jobs, ``due`` those that may be leased now.

    ``number_busy``: some of those that are not due wait for the end of another call to their number.
    """

    control: Control
    live: int
    waiting: int
    due: int
    held: bool = False
    due_held: int = 0
    number_busy: bool = False
    #: jobs of it that wait for ``continue`` after a partial start
    withheld: int = 0
    #: its own rate is used fully
    paced: bool = False


def limits_account(facts: AccountWork) -> LimitedBy | None:
    """Return the word for the account; None if there is nothing to send."""
    if facts.due <= 0:
        return _limits_idle(facts)
    return _limits_all(facts) or _limits_due(facts.due, facts.due_held, facts.due_paced)


def limits_batch(batch: BatchWork, account: AccountWork) -> LimitedBy | None:
    """Return the word for a batch; None if it has nothing left to send."""
    if batch.control in (Control.DRAFT, Control.SCHEDULED):
        return LimitedBy.NOT_STARTED
    if batch.waiting <= 0 or batch.control in (Control.CANCELLED, Control.EXPIRED):
        return None
    if batch.control is Control.PAUSED:
        return LimitedBy.PAUSED
    if batch.held and not _limits_machines(account):
        return LimitedBy.HOLD
    if batch.due <= 0 and batch.withheld > 0:
        return LimitedBy.PARTIAL_START
    if batch.due <= 0:
        return LimitedBy.NUMBER_BUSY if batch.number_busy else LimitedBy.WAITING_FOR_RETRY
    return _limits_all(account) or _limits_due(batch.due, batch.due_held, batch.due if batch.paced else 0)


def stops_all(facts: AccountWork) -> LimitedBy | None:
    """Return what stops every batch, also when nothing is due."""
    if machines := _limits_machines(facts):
        return machines
    return LimitedBy.HOLD if facts.held else None


def _limits_idle(facts: AccountWork) -> LimitedBy | None:
    """Return the nearest reason why no job is due."""
    if facts.waiting_later > 0:
        return LimitedBy.NUMBER_BUSY if facts.number_busy else LimitedBy.WAITING_FOR_RETRY
    if facts.withheld > 0:
        return LimitedBy.PARTIAL_START
    if facts.paused > 0:
        return LimitedBy.PAUSED
    return LimitedBy.NOT_STARTED if facts.not_started > 0 else None


def _limits_machines(facts: AccountWork) -> LimitedBy | None:
    """Return what is wrong with bulkfax itself."""
    if not facts.writable:
        return LimitedBy.STORE
    if not facts.scheduler_alive:
        return LimitedBy.NO_SCHEDULER
    if facts.workers_alive <= 0:
        return LimitedBy.NO_WORKER
    return LimitedBy.REPLICAS if facts.replicas_short else None


def _limits_all(facts: AccountWork) -> LimitedBy | None:
    """Return what stops every batch."""
    if machines := _limits_machines(facts):
        return machines
    if facts.held:
        return LimitedBy.HOLD
    if facts.blocked_by_provider:
        return LimitedBy.PROVIDER_WAIT
    if facts.allowance_used_up:
        return LimitedBy.ALLOWANCE
    return LimitedBy.IN_FLIGHT if facts.in_flight >= facts.max_in_flight else None


def _limits_due(due: int, held: int, paced: int) -> LimitedBy:
    """Return what keeps the due jobs back when nothing stops all of them."""
    if held >= due:
        return LimitedBy.HOLD
    return LimitedBy.BATCH_RATE if held + paced >= due else LimitedBy.RATE
