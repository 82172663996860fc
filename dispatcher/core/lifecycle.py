"""The states of a job as one table. ``docs/state_machine.md`` is drawn from it; nothing else says what is allowed."""

from collections.abc import Mapping
from enum import StrEnum

from dispatcher.core.job import State


class Event(StrEnum):
    """What can happen to a job."""

    #: the scheduler leased it to a worker
    CLAIMED = "claimed"
    #: it goes back unspent: its lease ended, begin granted nothing, or the request surely did not arrive
    GIVEN_BACK = "given_back"
    #: written down as being sent, before the first byte
    BEGUN = "begun"
    #: the answer to the POST was unclear, or nobody saw it: it is being looked for
    UNCLEAR = "unclear"
    #: the provider has the fax
    ACCEPTED = "taken"
    #: a look-up or read-back brought no news yet
    NO_NEWS = "no_news"
    DELIVERED = "delivered"
    #: a failure that is tried again, or waits for a hold to end
    RETRIED = "retried"
    #: looked for over the settling time and not found, or accepted once and unknown to the provider now
    VANISHED = "vanished"
    #: a failure that ends the job
    GIVEN_UP = "given_up"
    #: the batch was cancelled, or its deadline passed
    BATCH_ENDED = "batch_ended"


_ENDED = frozenset({State.CANCELLED, State.EXPIRED})
_GIVEN_UP = frozenset({State.FAILED, State.DELIVERED_UNCONFIRMED})
_DELIVERED = frozenset({State.DELIVERED})
_BACK = frozenset({State.WAITING})

#: (state, event) -> states it may lead to. What is not here is ignored as evidence, never applied.
TRANSITIONS: Mapping[tuple[State, Event], frozenset[State]] = {
    (State.WAITING, Event.CLAIMED): frozenset({State.LEASED}),
    (State.WAITING, Event.ACCEPTED): frozenset({State.ACCEPTED}),
    (State.WAITING, Event.DELIVERED): _DELIVERED,
    (State.WAITING, Event.RETRIED): _BACK,
    (State.WAITING, Event.GIVEN_UP): _GIVEN_UP,
    (State.WAITING, Event.BATCH_ENDED): _ENDED,
    (State.LEASED, Event.GIVEN_BACK): _BACK,
    (State.LEASED, Event.BEGUN): frozenset({State.SENDING}),
    (State.LEASED, Event.ACCEPTED): frozenset({State.ACCEPTED}),
    (State.LEASED, Event.DELIVERED): _DELIVERED,
    (State.LEASED, Event.RETRIED): _BACK,
    (State.LEASED, Event.GIVEN_UP): _GIVEN_UP,
    (State.LEASED, Event.BATCH_ENDED): _ENDED,
    (State.SENDING, Event.GIVEN_BACK): _BACK,
    (State.SENDING, Event.UNCLEAR): frozenset({State.SENDING}),
    (State.SENDING, Event.NO_NEWS): frozenset({State.SENDING}),
    (State.SENDING, Event.ACCEPTED): frozenset({State.ACCEPTED}),
    (State.SENDING, Event.DELIVERED): _DELIVERED,
    (State.SENDING, Event.RETRIED): _BACK,
    (State.SENDING, Event.VANISHED): _BACK,
    (State.SENDING, Event.GIVEN_UP): _GIVEN_UP,
    (State.ACCEPTED, Event.NO_NEWS): frozenset({State.ACCEPTED}),
    # the fax failed, and another one of the job turned out to be under way
    (State.ACCEPTED, Event.ACCEPTED): frozenset({State.ACCEPTED}),
    (State.ACCEPTED, Event.DELIVERED): _DELIVERED,
    (State.ACCEPTED, Event.RETRIED): _BACK,
    # the provider no longer knows the fax: it waits for a person
    (State.ACCEPTED, Event.VANISHED): _BACK,
    (State.ACCEPTED, Event.GIVEN_UP): _GIVEN_UP,
}


class IllegalTransition(Exception):
    """Raised when code asks for a move that the table does not have: a mistake of ours, never of the provider."""


def check_move(state: State, event: Event, to: State) -> None:
    """Raises IllegalMove unless the table allows it."""
    if to not in TRANSITIONS.get((state, event), frozenset()):
        raise IllegalTransition(f"{state.label} may not become {to.label} by {event}")
