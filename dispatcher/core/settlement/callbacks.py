"""Whether a callback may be believed.

Its address is signed, and its contents are not. It decides only about a fax whose id came from an answer of the
provider, and only when it shows the number and the labels of its job, as the provider's callbacks do. Any other is
confirmed by a read, and then the read decides.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from dispatcher.core.job import AttemptOutcome, HistoryEntry, Record, State
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.settlement.known_faxes import known_faxes
from dispatcher.core.settlement.transition import Transition, fire, send_deadline_ms

#: reads of one attempt that may be made to confirm callbacks
MAX_READS = 5
#: callbacks that one job's history may have as unconfirmed
_MAX_UNCONFIRMED = 5
#: how soon it is checked again whether the answer to the POST is there
_ANSWER_S = 1.0


class CallbackProof(StrEnum):
    """Whether a fax shows what is known of its job."""

    RIGHT = "right"
    ABSENT = "absent"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A request that came to the callback URL of an attempt."""

    #: its job and attempt are those of the signed URL
    update: FaxUpdate
    #: whether the labels were those of the URL
    labels: CallbackProof
    #: the number that the job is for; empty when it is not known
    number: str

    @property
    def proof(self) -> CallbackProof:
        """Return what the labels and the number prove together."""
        both = {self.labels, shown_number(self.update, self.number)}
        return next(
            shown for shown in (CallbackProof.WRONG, CallbackProof.ABSENT, CallbackProof.RIGHT) if shown in both
        )


class Trust(StrEnum):
    """The decision how to treat a callback."""

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
    """The decision how to treat a callback, and when."""

    trust: Trust
    #: when a deferred one is looked at again, milliseconds since 1970
    again_ms: int = 0
    #: attempt of the fax, if the provider itself has named it, else 0
    known_attempt: int = 0


def shown_labels(update: FaxUpdate, job: str, attempt: int) -> CallbackProof:
    """Return whether the labels are those of the signed URL."""
    if update.job not in ("", job) or update.attempt not in (0, attempt):
        return CallbackProof.WRONG
    return CallbackProof.RIGHT if update.job and update.attempt else CallbackProof.ABSENT


def shown_number(update: FaxUpdate, number: str) -> CallbackProof:
    """Return whether the fax went to that number."""
    if not update.to:
        return CallbackProof.ABSENT
    return CallbackProof.RIGHT if update.to == number else CallbackProof.WRONG


def judge_callback(callback: Callback, record: Record, context: DecisionContext) -> Judgement:
    """Return what a callback for an attempt of the job is worth, as far as is known now."""
    update = callback.update
    if callback.proof is CallbackProof.WRONG:
        return Judgement(trust=Trust.MISMATCHED)
    known = known_faxes(record, context.history).get(update.fax_id)
    if known and callback.proof is CallbackProof.RIGHT:
        return Judgement(trust=Trust.APPLY)
    if update.attempt > record.attempt:
        return Judgement(trust=Trust.ADOPT)
    if not known and (again_ms := _wait_until_ms(record, update, context)):
        return Judgement(trust=Trust.DEFER, again_ms=again_ms)
    trust = Trust.READ if record.confirming_reads < MAX_READS else Trust.UNCONFIRMED
    return Judgement(trust=trust, known_attempt=known.attempt if known else 0)


def _wait_until_ms(record: Record, update: FaxUpdate, context: DecisionContext) -> int:
    """Return when more may be known of a fax that no answer has named yet, without asking for it; 0: never.

    Either the answer to the POST names it, or the search for an unclear send: false callbacks that used up the reads
    must not cost the true one.
    """
    if record.state is not State.SENDING or update.attempt != record.attempt:
        return 0
    if context.now_ms < record.began_ms:
        return 0  # the clock was set back: the deadline may be hours away
    deadline_ms = send_deadline_ms(record, context.policy)
    if context.now_ms < deadline_ms:
        return min(deadline_ms, context.after_ms(_ANSWER_S))
    searched_ms = deadline_ms + round(context.policy.search_period_s * 1000)
    return searched_ms if record.confirming_reads >= MAX_READS and context.now_ms < searched_ms else 0


def confirmed(read: FaxUpdate, callback: Callback, known_attempt: int) -> FaxUpdate | None:
    """Return what a read says of the callback's job; None if the fax is not that job's.

    A fax that the provider itself has named is the job's with labels or without.
    """
    job = callback.update.job
    if shown_number(read, callback.number) is CallbackProof.WRONG:
        return None
    if known_attempt and read.job in ("", job):
        return replace(read, job=job, attempt=read.attempt or known_attempt)
    return read if read.job == job and read.attempt else None


def count_read(record: Record, context: DecisionContext) -> Transition | None:
    """Count one more read that confirms a callback."""
    if record.confirming_reads >= MAX_READS:
        return None
    new = replace(record, confirming_reads=record.confirming_reads + 1)
    return fire(record, Transition(event=None, record=new), context)


def after_unknown_ms(reads: int, context: DecisionContext) -> int:
    """Return when a fax that the provider does not know is asked for again, after that many reads.

    From the first read on they come when an unclear send is looked for, counted from its send deadline.
    """
    lookups_s = context.policy.lookups_s
    index = min(max(reads, 1), len(lookups_s)) - 1
    return context.after_ms(lookups_s[index] - (lookups_s[index - 1] if index else 0.0))


def unconfirmed(record: Record, update: FaxUpdate, context: DecisionContext) -> Transition | None:
    """Note in the history that a callback could not be confirmed; None if it, or enough of them, are noted."""
    entries = [entry for entry in context.history if entry.outcome is AttemptOutcome.UNCONFIRMED_CALLBACK]
    if len(entries) >= _MAX_UNCONFIRMED or any(entry.fax_id == update.fax_id for entry in entries):
        return None
    entry = HistoryEntry(
        attempt=update.attempt,
        at_ms=context.now_ms,
        outcome=AttemptOutcome.UNCONFIRMED_CALLBACK,
        fax_id=update.fax_id,
        why=f"a callback said {update.status} of a fax that the provider did not confirm: it changes nothing",
    )
    return fire(record, Transition(event=None, record=record, history=entry), context)
