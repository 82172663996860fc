"""The states of a job as one table that decides: each state and event lead to one state.

A transition is made by firing an event; nothing else chooses the new state. Scripts of the store make the moves that
Redis has to decide (``claim``, ``begin``, ``reclaim``, ``finalize`` and commands on batches) without this module. Tests
of the store check that each of them is in the table. ``docs/state_machine.md`` is drawn from it.
"""

from collections.abc import Mapping
from enum import StrEnum

from dispatcher.core.job import State


class Event(StrEnum):
    """An event that changes the state of a job."""

    #: the scheduler leased it to a worker
    CLAIMED = "claimed"
    #: it goes back unspent: its lease ended, ``begin`` granted nothing, or the request surely did not arrive
    GIVEN_BACK = "given_back"
    #: its next attempt was recorded, before the first byte is sent
    BEGUN = "begun"
    #: the answer to the POST was unclear, or no process saw it: the fax is searched for
    UNCLEAR = "unclear"
    #: the provider has the fax
    ACCEPTED = "accepted"
    #: a look-up or a read-back brought nothing new
    NO_NEWS = "no_news"
    #: the fax arrived
    DELIVERED = "delivered"
    #: a failure that is tried again, or waits for a hold to end
    RETRIED = "retried"
    #: searched for over the search period and not found, or accepted once and unknown to the provider now
    VANISHED = "vanished"
    #: a failure that ends the job
    FAILED = "failed"
    #: the same, but the pages may have arrived
    UNCONFIRMED = "unconfirmed"
    #: the batch was cancelled
    CANCELLED = "cancelled"
    #: the batch's deadline passed
    EXPIRED = "expired"
    #: the number is on the do-not-fax list: nothing is sent or spent
    SUPPRESSED = "suppressed"


#: (state, event) -> the state that follows. A pair that is missing cannot happen.
TRANSITIONS: Mapping[tuple[State, Event], State] = {
    (State.WAITING, Event.CLAIMED): State.LEASED,
    (State.WAITING, Event.ACCEPTED): State.ACCEPTED,
    (State.WAITING, Event.DELIVERED): State.DELIVERED,
    (State.WAITING, Event.RETRIED): State.WAITING,
    (State.WAITING, Event.FAILED): State.FAILED,
    (State.WAITING, Event.UNCONFIRMED): State.DELIVERED_UNCONFIRMED,
    (State.WAITING, Event.CANCELLED): State.CANCELLED,
    (State.WAITING, Event.EXPIRED): State.EXPIRED,
    (State.LEASED, Event.GIVEN_BACK): State.WAITING,
    (State.LEASED, Event.BEGUN): State.SENDING,
    (State.LEASED, Event.ACCEPTED): State.ACCEPTED,
    (State.LEASED, Event.DELIVERED): State.DELIVERED,
    (State.LEASED, Event.RETRIED): State.WAITING,
    (State.LEASED, Event.FAILED): State.FAILED,
    (State.LEASED, Event.UNCONFIRMED): State.DELIVERED_UNCONFIRMED,
    (State.LEASED, Event.CANCELLED): State.CANCELLED,
    (State.LEASED, Event.EXPIRED): State.EXPIRED,
    (State.LEASED, Event.SUPPRESSED): State.CANCELLED,
    (State.SENDING, Event.GIVEN_BACK): State.WAITING,
    (State.SENDING, Event.UNCLEAR): State.SENDING,
    (State.SENDING, Event.NO_NEWS): State.SENDING,
    (State.SENDING, Event.ACCEPTED): State.ACCEPTED,
    (State.SENDING, Event.DELIVERED): State.DELIVERED,
    (State.SENDING, Event.RETRIED): State.WAITING,
    (State.SENDING, Event.VANISHED): State.WAITING,
    (State.SENDING, Event.FAILED): State.FAILED,
    (State.SENDING, Event.UNCONFIRMED): State.DELIVERED_UNCONFIRMED,
    (State.ACCEPTED, Event.NO_NEWS): State.ACCEPTED,
    # the fax failed, and another fax of the job turned out to be under way
    (State.ACCEPTED, Event.ACCEPTED): State.ACCEPTED,
    (State.ACCEPTED, Event.DELIVERED): State.DELIVERED,
    (State.ACCEPTED, Event.RETRIED): State.WAITING,
    # the provider no longer knows the fax: the job waits for a person
    (State.ACCEPTED, Event.VANISHED): State.WAITING,
    (State.ACCEPTED, Event.FAILED): State.FAILED,
    (State.ACCEPTED, Event.UNCONFIRMED): State.DELIVERED_UNCONFIRMED,
}


class IllegalTransition(Exception):
    """Raised for an event that cannot happen in a state: a bug of this program, never the provider's fault."""


def next_state(state: State, event: Event) -> State:
    """Return the state that the event leads to.

    Raises:
        IllegalTransition: the table does not have the pair.
    """
    target = TRANSITIONS.get((state, event))
    if target is None:
        raise IllegalTransition(f"{event} cannot happen to a job that is {state.label}")
    return target
