"""Explains a job in one sentence: how it ended, or what it is waiting for."""

from collections.abc import Sequence

from dispatcher.core.batch import BatchState, Control
from dispatcher.core.counted import counted
from dispatcher.core.hold_scope import HoldScope, what_is_held
from dispatcher.core.job import HistoryEntry, Record, State, last_reason
from dispatcher.core.retry_table.rule import Category, Scope
from dispatcher.service.times import rfc3339
from dispatcher.service.views import BatchView, Hold, JobView


def explain(batch: BatchView, job: JobView, history: Sequence[HistoryEntry], now_ms: int) -> str:
    """Return the sentence for a job. If several things stop it, the widest is named: batch, country, job."""
    record = job.record
    if record.state.final:
        return _ended(batch, record, history)
    match record.state:
        case State.LEASED:
            return "A worker has leased the job and is about to send it."
        case State.SENDING:
            return _sending(record, job.next_ms)
        case State.ACCEPTED:
            return (
                "The provider has accepted the fax and reported no result yet. "
                f"If no callback comes, bulkfax asks for it {_when(job.next_ms)}."
            )
    return _batch_stopped(batch) or _country_held(batch, record) or _waiting(job, history, now_ms)


def _ended(batch: BatchView, record: Record, history: Sequence[HistoryEntry]) -> str:
    why = f" {reason}" if (reason := last_reason(history)) else ""
    match record.state:
        case State.DELIVERED:
            return f"Delivered: {_pages(record.pages_sent)} arrived."
        case State.DELIVERED_UNCONFIRMED if record.failure.category == Category.CALLBACK_MISSING:
            return f"The provider accepted the fax and never reported a result: it may have arrived.{why}"
        case State.DELIVERED_UNCONFIRMED:
            pages = f"{record.pages_sent} of {counted(record.pages_total, 'page')}"
            return f"{pages} arrived, but the call ended in an error.{why}"
        case State.CANCELLED if record.failure.category == Category.SUPPRESSED:
            return f"Not sent:{why}."
        case State.CANCELLED if batch.overview.control is not Control.CANCELLED and batch.overview.cancel_reason:
            return f"The job was cancelled before it was delivered: {batch.overview.cancel_reason}"
        case State.CANCELLED:
            return "The batch was cancelled before the job was delivered."
        case State.EXPIRED if batch.overview.draft_ended_ms:
            return "Nobody started the batch: it expired as a draft."
        case State.EXPIRED:
            return "The batch's deadline passed before the job was delivered."
    return f"Failed permanently: {record.failure.category}.{why}"


def _sending(record: Record, next_ms: int | None) -> str:
    if record.unclear:
        return f"It is unclear whether the provider accepted the fax. The next search for it is {_when(next_ms)}."
    return "The fax is being sent to the provider."


def _batch_stopped(batch: BatchView) -> str:
    """Return why the whole batch sends nothing now; empty if it may send."""
    definition = batch.definition
    match batch.state:
        case BatchState.DRAFT:
            return "The batch is a draft: it is waiting to be started."
        case BatchState.SCHEDULED:
            return f"The batch starts at {rfc3339(definition.start_at_ms)}."
        case BatchState.PAUSED:
            return "The batch is paused: it is waiting to be resumed."
        case BatchState.HELD:
            return " ".join(map(_held, batch.holds)) or "The batch is held: see its holds."
    return ""


def _held(hold: Hold) -> str:
    """Return what is held and why, in one sentence."""
    return f"{what_is_held(hold.scope)} is held: {hold.cause.rstrip('.')}."


def _country_held(batch: BatchView, record: Record) -> str:
    """Return the sentence for a waiting job whose country is held; empty if it is not held."""
    scope = str(HoldScope(Scope.COUNTRY, record.country))
    return next((f"Its country is held ({scope}): {hold.cause}" for hold in batch.holds if hold.scope == scope), "")


def _waiting(job: JobView, history: Sequence[HistoryEntry], now_ms: int) -> str:
    why = f": {reason}" if (reason := last_reason(history)) else ""
    if job.held and job.record.state is State.WAITING:
        return f"The job is held until you release it{why or '.'}"
    if job.next_ms is not None and job.next_ms > now_ms:
        return f"The next attempt is at {rfc3339(job.next_ms)}{why or '.'}"
    return "The job is due and waits for a permit under the account's rate limit."


def _pages(count: int) -> str:
    return counted(count, "page") if count else "all pages"


def _when(at_ms: int | None) -> str:
    return f"at {rfc3339(at_ms)}" if at_ms else "soon"
