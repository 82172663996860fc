"""The named points on the ways of a fax, of a list of recipients and of a callback at which a process may die.

Nothing is lost and nothing is sent twice, wherever that is. ``runtime`` hands a hook to the parts that pass these
points; in production there is none, and tests stop the process at each of them.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum


class Failpoint(StrEnum):
    # a send, in the scheduler and then in a worker

    #: leased, and no worker was told
    CLAIMED = "claimed"
    #: written down as being sent, before anything is done about it
    BEGUN = "begun"
    #: connected, and the first byte of the body is next
    FIRST_BYTE = "first_byte"
    #: the whole request has left, and no answer was read
    LAST_BYTE = "last_byte"
    #: the provider's answer is known to this process only
    ANSWERED = "answered"
    #: what follows from it is decided, but not written
    DECIDED = "decided"
    #: the job's step is written; what goes beside it (holds) is not
    APPLIED = "applied"

    # recipients, in web

    #: a part of the list is read and not stored
    PART_READ = "part_read"
    PART_STORED = "part_stored"
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
    #: all that was taken together is settled, and still in the inbox
    EVENTS_SETTLED = "events_settled"


#: called at each point with its name; returns when the process may go on
FailpointHook = Callable[[Failpoint], Awaitable[None]]
