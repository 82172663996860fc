"""Named points on the way of a fax, of a list of recipients and of a callback at which a process may die.

Nothing is lost and nothing is sent twice, wherever that happens. ``runtime`` passes a hook to the parts that reach
these points. The hook of production does nothing; tests stop the process at each point.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum


class Failpoint(StrEnum):
    """Where a process may be stopped."""

    # a send, in the scheduler and then in a worker

    #: leased, and not announced to any worker
    CLAIMED = "claimed"
    #: the attempt is recorded, and nothing is done about it yet
    BEGUN = "begun"
    #: connected, and the first byte of the body is next
    FIRST_BYTE = "first_byte"
    #: the whole request has left, and no answer was read
    LAST_BYTE = "last_byte"
    #: the provider's answer is known to this process only
    ANSWERED = "answered"
    #: what follows from it is decided, but not written
    DECIDED = "decided"
    #: the job's transition is stored; its side effects (holds) are not
    APPLIED = "applied"

    # recipients, in web

    #: a chunk of the list is read and not stored
    CHUNK_READ = "chunk_read"
    CHUNK_STORED = "chunk_stored"
    #: everything is stored, and the answer is next
    LIST_STORED = "list_stored"

    # a callback, in web and then in a worker

    #: read, and not in the inbox
    CALLBACK_READ = "callback_read"
    CALLBACK_STORED = "callback_stored"
    #: nothing is left to do but to answer
    CALLBACK_TAKEN = "callback_taken"
    #: out of the inbox into this process, and not settled
    EVENT_TAKEN = "event_taken"
    EVENT_SETTLED = "event_settled"
    #: all events that were taken together are settled, and still in the inbox
    EVENTS_SETTLED = "events_settled"


#: called at each point with its name; returns when the process may continue
FailpointHook = Callable[[Failpoint], Awaitable[None]]


async def no_failpoint(failpoint: Failpoint) -> None:
    """Do nothing: the hook of production."""
