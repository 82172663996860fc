"""Whether a callback may be believed.

Its address is signed, and its contents are not. It decides only about a fax whose id came from an answer of the
provider; any other is confirmed by a read, and then the read decides.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from dispatcher.core.job import Happened, HistoryEntry, Record, State
from dispatcher.core.outcome import FaxNews
from dispatcher.core.settlement.faxes import known_faxes
from dispatcher.core.settlement.step import Case, Step, move, send_deadline_ms

#: reads of one attempt that may be made to confirm callbacks
MOST_READS = 5
#: callbacks that one job's history may have as unconfirmed
_MOST_UNCONFIRMED = 5
#: how soon it is looked again whether the answer to the POST is there
_ANSWER_MS = 1_000


class Trust(StrEnum):
    """What to do with a callback."""

    #: the provider itself has named this fax
    APPLY = "apply"
    #: the signature alone proves that its attempt was begun, and that the store has lost this: the fax is adopted, and
    #: what became of it is read
    ADOPT = "adopt"
    #: the answer to the POST is still to come
    DEFER = "defer"
    READ = "read"
    #: no read is left: it goes into the history and changes nothing
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    trust: Trust
    #: when a deferred one is looked at again, milliseconds since 1970
    again_ms: int = 0


def judge_callback(record: Record, news: FaxNews, case: Case) -> Judgement:
    """What a callback for an attempt of the job is worth, as far as is known now."""
    if news.fax_id in known_faxes(record, case.history):
        return Judgement(trust=Trust.APPLY)
    if news.attempt > record.attempt:
        return Judgement(trust=Trust.ADOPT)
    deadline_ms = send_deadline_ms(record, case.policy)
    if record.state is State.SENDING and news.attempt == record.attempt and case.now_ms < deadline_ms:
        return Judgement(trust=Trust.DEFER, again_ms=min(deadline_ms, case.now_ms + _ANSWER_MS))
    return Judgement(trust=Trust.READ if record.confirming_reads < MOST_READS else Trust.UNCONFIRMED)


def contradicts(read: FaxNews, callback: FaxNews) -> bool:
    """Whether the fax that was read is another job's, or nobody's."""
    return read.job != callback.job or read.attempt < 1


def count_read(record: Record, case: Case) -> Step | None:
    """One more read was made for a callback."""
    if record.confirming_reads >= MOST_READS:
        return None
    return move(record, Step(event=None, record=replace(record, confirming_reads=record.confirming_reads + 1)), case)


def after_unknown_ms(reads: int, case: Case) -> int:
    """When a fax that the provider does not know is asked for again, after so many reads.

    Together the reads take as long as an unclear send is searched for.
    """
    looks_s = case.policy.looks_s
    return case.after_ms(looks_s[min(max(reads, 1), len(looks_s)) - 1])


def unconfirmed(record: Record, news: FaxNews, case: Case) -> Step | None:
    """The line that a callback leaves which nobody could confirm; None when it, or enough of them, are there."""
    told = [entry for entry in case.history if entry.outcome is Happened.UNCONFIRMED]
    if len(told) >= _MOST_UNCONFIRMED or any(entry.fax_id == news.fax_id for entry in told):
        return None
    entry = HistoryEntry(
        attempt=news.attempt,
        at_ms=case.now_ms,
        outcome=Happened.UNCONFIRMED,
        fax_id=news.fax_id,
        why=f"a callback said {news.status} of a fax that the provider does not know: it changes nothing",
    )
    return move(record, Step(event=None, record=record, history=entry), case)
