"""Whether a callback may be believed.

Its address is signed, and its contents are not. It decides only about a fax whose id came from an answer of the
provider, and only when it shows the number and the labels of its job, as the provider's callbacks do. Any other is
confirmed by a read, and then the read decides.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from dispatcher.core.job import AttemptOutcome, HistoryEntry, Record, State
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.settlement.known_faxes import known_faxes
from dispatcher.core.settlement.transition import DecisionContext, Transition, move, send_deadline_ms

#: reads of one attempt that may be made to confirm callbacks
MOST_READS = 5
#: callbacks that one job's history may have as unconfirmed
_MOST_UNCONFIRMED = 5
#: how soon it is looked again whether the answer to the POST is there
_ANSWER_S = 1.0


class CallbackProof(StrEnum):
    """What a fax shows of that which is known of its job."""

    RIGHT = "right"
    ABSENT = "absent"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What came to the address of an attempt."""

    #: its job and attempt are those of the signed address
    news: FaxUpdate
    #: whether the labels were those of the address
    labels: CallbackProof
    #: the number that the job is for; empty when it is not known
    number: str

    @property
    def proof(self) -> CallbackProof:
        """What labels and number show together."""
        both = {self.labels, shown_number(self.news, self.number)}
        return next(
            shown for shown in (CallbackProof.WRONG, CallbackProof.ABSENT, CallbackProof.RIGHT) if shown in both
        )


class Trust(StrEnum):
    """What to do with a callback."""

    #: the provider itself has named this fax
    APPLY = "apply"
    #: the signature alone proves that its attempt was begun, and that the store has lost this: the fax is adopted, and
    #: what became of it is read
    ADOPT = "adopt"
    #: the answer to the POST is still to come, or no read is left and the fax may yet be found
    DEFER = "defer"
    READ = "read"
    #: no read is left: it goes into the history and changes nothing
    UNCONFIRMED = "unconfirmed"
    #: the labels or the number are those of another job: it changes nothing
    MISMATCHED = "mismatched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    trust: Trust
    #: when a deferred one is looked at again, milliseconds since 1970
    again_ms: int = 0
    #: attempt of the fax, if the provider itself has named it, else 0
    known_attempt: int = 0


def shown_labels(news: FaxUpdate, job: str, attempt: int) -> CallbackProof:
    """Whether the labels are those of the signed address."""
    if news.job not in ("", job) or news.attempt not in (0, attempt):
        return CallbackProof.WRONG
    return CallbackProof.RIGHT if news.job and news.attempt else CallbackProof.ABSENT


def shown_number(news: FaxUpdate, number: str) -> CallbackProof:
    """Whether the fax went to that number."""
    if not news.to:
        return CallbackProof.ABSENT
    return CallbackProof.RIGHT if news.to == number else CallbackProof.WRONG


def judge_callback(callback: Callback, record: Record, case: DecisionContext) -> Judgement:
    """What a callback for an attempt of the job is worth, as far as is known now."""
    news = callback.news
    if callback.proof is CallbackProof.WRONG:
        return Judgement(trust=Trust.MISMATCHED)
    known = known_faxes(record, case.history).get(news.fax_id)
    if known and callback.proof is CallbackProof.RIGHT:
        return Judgement(trust=Trust.APPLY)
    if news.attempt > record.attempt:
        return Judgement(trust=Trust.ADOPT)
    if not known and (again_ms := _wait_until_ms(record, news, case)):
        return Judgement(trust=Trust.DEFER, again_ms=again_ms)
    trust = Trust.READ if record.confirming_reads < MOST_READS else Trust.UNCONFIRMED
    return Judgement(trust=trust, known_attempt=known.attempt if known else 0)


def _wait_until_ms(record: Record, news: FaxUpdate, case: DecisionContext) -> int:
    """When more may be known of a fax that nobody has named yet, without asking for it; 0: never.

    Either the answer to the POST names it, or the search for an unclear send: false callbacks that used up the reads
    must not cost the true one.
    """
    if record.state is not State.SENDING or news.attempt != record.attempt:
        return 0
    if case.now_ms < record.began_ms:
        return 0  # the clock was set back: the deadline may be hours away
    deadline_ms = send_deadline_ms(record, case.policy)
    if case.now_ms < deadline_ms:
        return min(deadline_ms, case.after_ms(_ANSWER_S))
    searched_ms = deadline_ms + round(case.policy.settling_s * 1000)
    return searched_ms if record.confirming_reads >= MOST_READS and case.now_ms < searched_ms else 0


def confirmed(read: FaxUpdate, callback: Callback, known_attempt: int) -> FaxUpdate | None:
    """What a read says of the callback's job; None when the fax is another job's, or nobody's.

    A fax that the provider itself has named is the job's with labels or without.
    """
    job = callback.news.job
    if shown_number(read, callback.number) is CallbackProof.WRONG:
        return None
    if known_attempt and read.job in ("", job):
        return replace(read, job=job, attempt=read.attempt or known_attempt)
    return read if read.job == job and read.attempt else None


def count_read(record: Record, case: DecisionContext) -> Transition | None:
    """One more read was made for a callback."""
    if record.confirming_reads >= MOST_READS:
        return None
    return move(
        record, Transition(event=None, record=replace(record, confirming_reads=record.confirming_reads + 1)), case
    )


def after_unknown_ms(reads: int, case: DecisionContext) -> int:
    """When a fax that the provider does not know is asked for again, after so many reads.

    From the first read on they come when an unclear send is looked for, counted from its send deadline.
    """
    looks_s = case.policy.looks_s
    look = min(max(reads, 1), len(looks_s)) - 1
    return case.after_ms(looks_s[look] - (looks_s[look - 1] if look else 0.0))


def unconfirmed(record: Record, news: FaxUpdate, case: DecisionContext) -> Transition | None:
    """The line that a callback leaves which nobody could confirm; None when it, or enough of them, are there."""
    lines = [entry for entry in case.history if entry.outcome is AttemptOutcome.UNCONFIRMED]
    if len(lines) >= _MOST_UNCONFIRMED or any(entry.fax_id == news.fax_id for entry in lines):
        return None
    entry = HistoryEntry(
        attempt=news.attempt,
        at_ms=case.now_ms,
        outcome=AttemptOutcome.UNCONFIRMED,
        fax_id=news.fax_id,
        why=f"a callback said {news.status} of a fax that the provider did not confirm: it changes nothing",
    )
    return move(record, Transition(event=None, record=record, history=entry), case)
