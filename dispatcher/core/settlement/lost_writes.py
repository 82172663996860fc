"""What the provider has and the record does not know: the store has lost writes.

Attempt numbers are given by the store, and never twice. So an attempt that we signed or labelled and that lies above
the record's was begun by a write that is gone. The record takes its number, and then the fax is news like any other.
Two faxes under one number, as the provider itself shows them, mean that a number that was lost was given again.
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


def lost_write(record: Record, news: FaxUpdate, *, twice: bool) -> LostWrite | None:
    """What the news proves to be lost; None when the record knows of the attempt. ``twice``: and of another fax of it.

    What a callback says of that proves nothing: its address is signed, its body is not, and has no epoch.
    """
    if news.attempt > record.attempt or (twice and news.write_epoch):
        return LostWrite(attempt=news.attempt, created_ms=news.created_ms)
    return None


def raised(record: Record, news: FaxUpdate) -> Record:
    """The record with the attempt's number, which is never given again."""
    return replace(record, attempt=max(record.attempt, news.attempt))


def is_accepted_twice(known: Mapping[str, KnownFax], news: FaxUpdate) -> bool:
    """Whether the provider has two faxes under one attempt's number: the store lost the first and gave it again."""
    return news.fax_id not in known and any(fax.attempt == news.attempt for fax in known.values())


def twice_entry(entry: HistoryEntry) -> HistoryEntry:
    """The line of the second of them."""
    why = f"the provider has accepted two faxes of attempt {entry.attempt}"
    return replace(entry, outcome=AttemptOutcome.DOUBLED, why=f"{why}. {entry.why}" if entry.why else why)
