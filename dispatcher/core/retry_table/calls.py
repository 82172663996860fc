"""CALL_ERROR: the call failed before a fax machine answered. Each one spends a dial."""

from dataclasses import replace
from functools import partial

from dispatcher.core.retry_table import remedies
from dispatcher.core.retry_table.rule import CalendarDelay, Category, Fallback, Rule, Spends, Verdict

_M = 60.0
_H = 3600.0
_MORNING = CalendarDelay.NEXT_BUSINESS_MORNING

_row = partial(Rule, error_type="CALL_ERROR", spends=Spends.DIAL, verdict=Verdict.RETRY)

DROPPED = _row(
    error_code=11,
    category=Category.CALL_DROPPED,
    delays=(2 * _M, 10 * _M, 30 * _M, 2 * _H),
    max_attempts=5,
    unproven_max=3,
    asks_on_partial=True,
    remedies=(remedies.RESUME_PAGES,),
    fallback=Fallback.ON_PARTIAL,
    why="The call broke off early: line trouble, or someone picked up a voice line.",
)
CONGESTION = _row(
    error_code=15,
    category=Category.CONGESTION,
    delays=(1 * _M, 3 * _M, 10 * _M, 30 * _M, 1 * _H),
    max_attempts=6,
    remedies=(remedies.SLOW_PREFIX,),
    fallback=Fallback.UNCHANGED,
    why="The network was full, which says nothing about the recipient.",
)
NO_ANSWER = _row(
    error_code=16,
    category=Category.NO_ANSWER,
    delays=(5 * _M, 15 * _M, 1 * _H, 4 * _H, _MORNING),
    max_attempts=6,
    unproven_max=4,
    why="It rang without an answer; many machines are off outside business hours.",
)
BUSY = _row(
    error_code=17,
    category=Category.BUSY,
    delays=(3 * _M, 5 * _M, 10 * _M, 20 * _M, 30 * _M, 60 * _M, 120 * _M),
    max_attempts=8,
    remedies=(remedies.SERIALISE_NUMBER,),
    why="The line was engaged, by another fax as a rule, so it frees up.",
)
REJECTED = _row(
    error_code=19,
    category=Category.CALL_REJECTED,
    delays=(15 * _M, 2 * _H),
    max_attempts=3,
    remedies=(remedies.QUARANTINE_NUMBER, remedies.OTHER_SENDER),
    fallback=Fallback.UNCHANGED,
    why="Someone or something hung up at once: call screening, a blocked sender or a person.",
)
NO_FAX_TONE = _row(
    error_code=30,
    category=Category.NO_FAX_TONE,
    delays=(5 * _M, 30 * _M, 2 * _H, CalendarDelay.NEXT_DAY),
    max_attempts=5,
    unproven_delays=(15 * _M, _MORNING),
    unproven_max=3,
    remedies=(remedies.QUARANTINE_NUMBER,),
    fallback=Fallback.UNCHANGED,
    why="No fax machine answered: it may be a person or a voicemail, so calls stay few.",
)
INCOMPATIBLE = _row(
    error_code=32,
    category=Category.INCOMPATIBLE,
    delays=(30 * _M,),
    max_attempts=2,
    remedies=(remedies.QUARANTINE_NUMBER,),
    fallback=Fallback.UNCHANGED,
    why="The destination is not compatible, though a call over another route may be.",
)
NOT_OPERATIONAL = _row(
    error_code=34,
    category=Category.BAD_NUMBER,
    verdict=Verdict.PERMANENT,
    max_attempts=1,
    remedies=(remedies.SUPPRESS_NUMBER,),
    why="The number is not in operation, and calling again does not change that.",
)
SETUP = _row(
    error_code=43,
    category=Category.CALL_SETUP,
    delays=(1 * _M, 5 * _M, 20 * _M, 1 * _H),
    max_attempts=5,
    remedies=(remedies.BREAKER_BY_FAXES,),
    fallback=Fallback.UNCHANGED,
    why="A carrier or gateway could not set up the call.",
)

ROWS = (
    DROPPED,
    CONGESTION,
    NO_ANSWER,
    BUSY,
    REJECTED,
    NO_FAX_TONE,
    INCOMPATIBLE,
    NOT_OPERATIONAL,
    SETUP,
    replace(NOT_OPERATIONAL, error_code=49, why="The number is not active."),
)
