"""Derives what is known of the faxes of one job from its record and history, for updates in any order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from dispatcher.core.job import FaxFate, HistoryEntry, Record, State


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFax:
    """One fax at the provider. Times are milliseconds since 1970 by the provider's clock, 0 where it did not say."""

    attempt: int
    fate: FaxFate
    created_ms: int = 0
    ended_ms: int = 0


#: fate of the fax that the record names, by the job's state; in other states the history has its fate, if it is known
_FATE_IN_STATE = {State.ACCEPTED: FaxFate.UNFINISHED, State.DELIVERED: FaxFate.DELIVERED}


def known_faxes(record: Record, history: Sequence[HistoryEntry]) -> dict[str, KnownFax]:
    """Return all known faxes of the job, by id."""
    faxes = {
        entry.fax_id: KnownFax(
            attempt=entry.attempt, fate=entry.fate, created_ms=entry.created_ms, ended_ms=entry.ended_ms
        )
        for entry in history
        if entry.fate
    }
    if fate := _FATE_IN_STATE.get(record.state):
        faxes[record.fax_id] = KnownFax(attempt=record.attempt, fate=fate, created_ms=record.began_ms)
    return faxes


def is_doubled(faxes: Iterable[KnownFax]) -> bool:
    """Return whether a fax was accepted while an earlier one was unfinished, delivered or unconfirmed.

    A fax of unknown end is taken for unfinished until the provider says when it ended.
    """
    return any(_forbids(*_in_order(*pair)) for pair in combinations(faxes, 2))


def deciding_entry(history: Sequence[HistoryEntry]) -> HistoryEntry | None:
    """Return the last entry of the fax that decides about a job whose attempt has just ended; None if all failed.

    Precedence: delivered, under way, failed with pages arrived, without a known end.
    """
    last = {entry.fax_id: entry for entry in history if entry.fate}
    return next(
        (entry for fate in _FATES_BY_PRECEDENCE for entry in reversed(last.values()) if entry.fate is fate), None
    )


_FATES_BY_PRECEDENCE = (FaxFate.DELIVERED, FaxFate.UNFINISHED, FaxFate.PAGES_ARRIVED, FaxFate.UNENDED)


def _in_order(first: KnownFax, second: KnownFax) -> tuple[KnownFax, KnownFax]:
    timed = first.created_ms and second.created_ms and first.created_ms != second.created_ms
    swap = first.created_ms > second.created_ms if timed else first.attempt > second.attempt
    return (second, first) if swap else (first, second)


def _forbids(earlier: KnownFax, later: KnownFax) -> bool:
    return earlier.fate is not FaxFate.FAILED or 0 < later.created_ms < earlier.ended_ms
