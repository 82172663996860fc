"""The names of states in the JSON of the API."""

from typing import Literal, get_args

BatchState = Literal["draft", "scheduled", "running", "held", "paused", "ending", "finished", "cancelled", "expired"]
JobState = Literal[
    "waiting", "leased", "sending", "accepted", "delivered", "delivered_unconfirmed", "failed", "cancelled", "expired"
]
#: states in answers; ``unreadable``: the stored data is damaged. It is no state that can be asked for.
ShownBatchState = BatchState | Literal["unreadable"]
ShownJobState = JobState | Literal["unreadable"]
FinalState = Literal["delivered", "delivered_unconfirmed", "failed", "cancelled", "expired"]

BATCH_STATES: tuple[BatchState, ...] = get_args(BatchState)
JOB_STATES: tuple[JobState, ...] = get_args(JobState)
#: states that a job does not leave
FINAL_STATES: tuple[FinalState, ...] = get_args(FinalState)
#: all others
LIVE_STATES: tuple[JobState, ...] = tuple(state for state in JOB_STATES if state not in FINAL_STATES)
#: states that a batch does not leave
ENDED_STATES: tuple[BatchState, ...] = ("finished", "cancelled", "expired")
