"""Which calls prove that a number is dead, and when so many do that the list or the network is at fault.

The script ``settle`` applies this; ``dispatcher/core/reference/dead_numbers.py`` is the same in Python.
"""

import math
from collections.abc import Mapping
from enum import StrEnum

from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.policy.policy import Policy

#: error type and codes with which a call ends at a number that is not in operation, or not active
_CALL_ERROR, _DEAD_CODES = "CALL_ERROR", (34, 49)
#: how long a proof is remembered after its entry has expired: a second one by then counts until somebody edits it
PROOF_MEMORY_MS = 365 * 86_400_000
#: calling codes of one and of two digits; all others have three
_ONE_DIGIT = frozenset("17")
_TWO_DIGITS = frozenset(
    f"{first}{second}"
    for first, seconds in {
        "2": "07",
        "3": "0123469",
        "4": "013456789",
        "5": "12345678",
        "6": "0123456",
        "8": "1246",
        "9": "0123458",
    }.items()
    for second in seconds
)
_AREA_DIGITS = 3


class CallEnd(StrEnum):
    """How a call ended, for what is known of its number."""

    DELIVERED = "delivered"
    #: the number is not in operation
    DEAD = "dead"
    FAILED = "failed"


def call_end(update: FaxUpdate, *, called: bool) -> CallEnd | None:
    """Return how the call of a fax ended; None if it has not ended or no call was made.

    Only the call itself proves that a number is dead. An answer to a request never does.

    Args:
        update: what the provider says about the fax.
        called: by the retry table, a failure of this kind comes from a call.
    """
    match update.status:
        case FaxStatus.UNFINISHED:
            return None
        case FaxStatus.COMPLETED:
            return CallEnd.DELIVERED
    dead = update.error_type == _CALL_ERROR and update.error_code in _DEAD_CODES and not update.pages_sent
    if dead:
        return CallEnd.DEAD
    return CallEnd.FAILED if called else None


def area_of(number: str) -> str:
    """Return the calling code of a number (E.164) and the three digits after it.

    In North America this is the area code. Elsewhere area codes differ in length, and large areas are divided.
    """
    digits = number.removeprefix("+")
    code = 1 if digits[:1] in _ONE_DIGIT else 2 if digits[:2] in _TWO_DIGITS else 3
    return digits[: code + _AREA_DIGITS]


def figures(policy: Policy) -> Mapping[str, int]:
    """Return the policy's figures as the script ``settle`` takes them."""
    return {
        "life_ms": round(policy.dead_life_s * 1000),
        "calls": policy.dead_calls,
        "allowed": math.floor(policy.dead_share * policy.dead_calls),
        "area_numbers": policy.dead_area_numbers,
        "area_ms": round(policy.dead_area_s * 1000),
    }
