"""What opens and ends holds of the account and of the provider.

A hold ends when its own probe ends in anything but the failure that opened it:

==============================================  ========  =====  =====
the probe's outcome                             provider  auth   funds
==============================================  ========  =====  =====
no usable answer                                stays     stays  stays
answer: accepted, rate limited, known refusals  ends      ends   stays
answer: 401                                     ends      stays  ends
answer: 402                                     ends      ends   stays
the fax is found, or ended without a call       stays     ends   stays
the fax failed for want of funds                stays     ends   stays
the fax ended by a call                         stays     ends   ends
==============================================  ========  =====  =====

That a fax exists does not say that sends are answered. A 401 or 402 opens a hold of its own in the other's place. The
scripts open, probe and end holds; ``dispatcher/core/reference/holding.py`` is the same in Python.
"""

from dispatcher.core.hold_scope import HoldScope
from dispatcher.core.outcome import NotSent, Refused, SendOutcome, Unclear
from dispatcher.core.retry_table.rows import RULES
from dispatcher.core.retry_table.rule import HTTP, Category, Scope

#: a clock that runs back by less than this was not set
STEP_MS = 2_000
#: scopes of holds that stop all sending, and that probes may end
ACCOUNT, PROVIDER = str(HoldScope(Scope.ACCOUNT)), str(HoldScope(Scope.PROVIDER))
#: causes for which the account is held and probed
AUTH, FUNDS = Category.AUTH.value, Category.FUNDS.value
#: category of a hold of the provider whose cause is that no list can be read, while attempts are unclear
LISTS_FAIL = Category.SUBMIT_UNKNOWN.value
_OF_ACCOUNT = frozenset({AUTH, FUNDS})
#: causes that any usable answer to a POST disproves, and those that a fax disproves that is found at the provider
ANSWERED, FOUND = frozenset({PROVIDER, AUTH}), frozenset({AUTH})
#: probes of one hold that are remembered until they end: enough for calls of hours with a probe each quarter of an hour
PROBES_KEPT = 16
#: statuses of the refusals that the provider documents
_REFUSALS = frozenset(status for error_type, status in RULES if error_type == HTTP and 400 <= status < 500)


def is_providers_failure(outcome: SendOutcome) -> bool:
    """Return whether a send got no usable answer.

    That is: no connection or no answer, a 5xx, a redirect, a page where a fax should be, or a refusal that the provider
    does not document. A documented refusal, of whatever, is an answer of a provider that works.
    """
    match outcome:
        case NotSent() | Unclear():
            return True
        case Refused(status=status):
            return status not in _REFUSALS
    return False


def disproved_by_refusal(category: str) -> frozenset[str]:
    """Return the causes that a refused probe disproves: the provider answers, and at most this stops the account.

    A refusal that holds the account itself takes the place of a hold for another cause.
    """
    if category in _OF_ACCOUNT:
        return (ANSWERED | _OF_ACCOUNT) - {category}
    return ANSWERED


def disproved_by_fax(category: str = "", *, called: bool = True) -> frozenset[str]:
    """Return the causes that the end of a probe's fax disproves.

    Args:
        category: the category of its failure; empty if it was delivered.
        called: whether a call was made. Without one nothing was paid.
    """
    return _OF_ACCOUNT if called and category != FUNDS else FOUND
