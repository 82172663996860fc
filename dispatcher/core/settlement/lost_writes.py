"""Adopts faxes that the provider has and the record does not know, because the store has lost writes.

Attempt numbers are assigned by the store, and never twice. So an attempt that bulkfax signed or labelled and that lies
above the record's was begun by a write that is gone. The record takes its number, and then the fax is updated like any
other. Two faxes under one number, as the provider itself shows them, mean that a lost number was assigned again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dispatcher.core.job import AttemptOutcome, HistoryEntry, Record
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.settlement.known_faxes import KnownFax


@dataclass(frozen=True, slots=True, kw_only=True)
class LostWrite:
    """The attempt whose begin is gone, and when the provider created its fax (ms since 1970, 0: it did not say)."""

    attempt: int
    created_ms: int


def lost_write(record: Record, update: FaxUpdate, *, twice: bool) -> LostWrite | None:
    """Return what the update proves to be lost; None if the record knows the attempt.

    Args:
        record: the job's record.
        update: what the provider says. A callback has no write epoch and proves nothing here: its address is signed,
            its body is not.
        twice: the record knows another fax of the attempt.
    """
    if update.attempt > record.attempt or (twice and update.write_epoch):
        return LostWrite(attempt=update.attempt, created_ms=update.created_ms)
    return None


def raised(record: Record, update: FaxUpdate) -> Record:
    """Return the record with the attempt's number, which is never assigned again."""
    return replace(record, attempt=max(record.attempt, update.attempt))


def is_accepted_twice(known: Mapping[str, KnownFax], update: FaxUpdate) -> bool:
    """Return whether the provider has two faxes under one attempt number: the store lost it and assigned it again."""
    return update.fax_id not in known and any(fax.attempt == update.attempt for fax in known.values())


def twice_entry(entry: HistoryEntry) -> HistoryEntry:
    """Return the history entry of the second of two faxes under one attempt number."""
    why = f"the provider has accepted two faxes of attempt {entry.attempt}"
    return replace(entry, outcome=AttemptOutcome.DOUBLED, why=f"{why}. {entry.why}" if entry.why else why)
