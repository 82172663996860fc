"""What an answer, a callback, a look-up or a read-back means for a job: the new record and what goes with it.

Pure: a record and what was learned go in, a ``Step`` comes out, or None where the news changes nothing. The service
applies a step by compare-and-set on the record it was decided from, and decides anew when another one stands there.
"""

from dispatcher.core.settlement.callbacks import (
    Callback,
    CallbackProof,
    Judgement,
    Trust,
    after_unknown_ms,
    confirmed,
    count_read,
    judge_callback,
    shown_labels,
    unconfirmed,
)
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.lookup import after_empty_look, after_read, is_last_look, look_due_ms, next_look_at_ms
from dispatcher.core.settlement.lost_writes import LostWrite
from dispatcher.core.settlement.send_result import after_send, missed_slot, unsendable
from dispatcher.core.settlement.transition import HELD_MS, DecisionContext, HoldRequest, Transition, send_deadline_ms

__all__ = [
    "HELD_MS",
    "Callback",
    "CallbackProof",
    "DecisionContext",
    "HoldRequest",
    "Judgement",
    "LostWrite",
    "Transition",
    "Trust",
    "after_empty_look",
    "after_read",
    "after_send",
    "after_unknown_ms",
    "after_update",
    "confirmed",
    "count_read",
    "is_last_look",
    "judge_callback",
    "look_due_ms",
    "missed_slot",
    "next_look_at_ms",
    "send_deadline_ms",
    "shown_labels",
    "unconfirmed",
    "unsendable",
]
