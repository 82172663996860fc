"""Detects, from the provider's faxes, that the store has lost writes.

Attempt numbers are assigned by the store, and never twice. So an attempt that bulkfax signed or labelled and that lies
above the record's was begun by a write that was lost. The record takes its number, and then the fax is updated like any
other. Two faxes under one number, as the provider itself shows them, mean that a lost number was assigned again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dispatcher.core.job import AttemptOutcome, HistoryEntry, Record
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.settlement.known_faxes import KnownFax


@dataclass(frozen=True, slots=True, kw_only=True)
class LostWrite:
    """An attempt whose beginning the store has lost, and when its fax was created (ms since 1970, 0: unknown)."""

    attempt: int
    created_ms: int


def lost_write(record: Record, update: FaxUpdate, *, other_fax_known: bool) -> LostWrite | None:
    """Return the attempt whose beginning the store has lost, as this update proves it; None if it proves no loss.

    Args:
        record: the job's record.
        update: what the provider says. A callback has no write epoch and proves nothing here: its address is signed,
            its body is not.
        other_fax_known: whether the record knows another fax of the attempt.
    """
    if update.attempt > record.attempt or (other_fax_known and update.write_epoch):
        return LostWrite(attempt=update.attempt, created_ms=update.created_ms)
    return None


def with_attempt_number(record: Record, update: FaxUpdate) -> Record:
    """Return the record with at least the update's attempt number, so that it is never assigned again."""
    return replace(record, attempt=max(record.attempt, update.attempt))


def is_accepted_twice(known: Mapping[str, KnownFax], update: FaxUpdate) -> bool:
    """Return whether the provider has two faxes under one attempt number.

    The store has then lost the first assignment of the number and made it again.
    """
    return update.fax_id not in known and any(fax.attempt == update.attempt for fax in known.values())


def as_accepted_twice(entry: HistoryEntry) -> HistoryEntry:
    """Return the history entry of the second of two faxes under one attempt number."""
    why = f"the provider has accepted two faxes of attempt {entry.attempt}"
    return replace(entry, outcome=AttemptOutcome.DOUBLED, why=f"{why}. {entry.why}" if entry.why else why)
