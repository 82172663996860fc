"""The names of states in the JSON of the API."""

from typing import Literal, get_args

BatchState = Literal["draft", "scheduled", "running", "held", "paused", "ending", "finished", "cancelled", "expired"]
JobState = Literal[
    "waiting", "leased", "sending", "accepted", "delivered", "delivered_unconfirmed", "failed", "cancelled", "expired"
]
FinalState = Literal["delivered", "delivered_unconfirmed", "failed", "cancelled", "expired"]

#: states that a job does not leave
FINAL_STATES: tuple[FinalState, ...] = get_args(FinalState)
#: states that a batch does not leave
ENDED_STATES: tuple[BatchState, ...] = ("finished", "cancelled", "expired")
