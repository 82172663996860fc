"""FAX_ERROR: the call was answered and the fax failed. Each one spends a try, unless no call was made.

The provider's texts for these codes are those of the T.30 completion codes that fax software reports, so what
is known of those applies. Codes that mean the same as a row above take that row's delays and limits.
"""

from dataclasses import replace
from functools import partial

from dispatcher.core.retry_table import calls, documents, remedies
from dispatcher.core.retry_table.rule import CalendarDelay, Category, Fallback, Rule, Scope, Spends, Verdict

_M = 60.0
_H = 3600.0
_MORNING = CalendarDelay.NEXT_BUSINESS_MORNING

_row = partial(Rule, error_type="FAX_ERROR", spends=Spends.TRY, verdict=Verdict.RETRY)
#: the far side may hold pages
_paged = partial(_row, asks_on_partial=True, remedies=(remedies.RESUME_PAGES,), fallback=Fallback.ON_PARTIAL)


def _as(row: Rule, code: int, why: str, spends: Spends = Spends.TRY) -> Rule:
    """Another row's treatment for a code of this type."""
    return replace(row, error_type="FAX_ERROR", error_code=code, spends=spends, why=why)


PROTOCOL = _paged(
    error_code=6,
    category=Category.FAX_PROTOCOL,
    delays=(1 * _M, 5 * _M, 30 * _M),
    max_attempts=4,
    fine_from=2,
    remedies=(remedies.RESUME_PAGES, remedies.FORCE_FINE),
    why="The two machines lost step with each other; a call soon after often works.",
)
PAGE_SIZE = _row(
    error_code=7,
    category=Category.CAPABILITY,
    delays=(0.0,),
    max_attempts=2,
    fine_from=1,
    final_once_fine=True,
    remedies=(remedies.RERENDER, remedies.FORCE_FINE),
    fallback=Fallback.FORCE_FINE,
    why="The far side cannot take pages of this size, so the same pages fail again unless something changes.",
)
PAGE_UNCONFIRMED = _paged(
    error_code=8,
    category=Category.PAGE_UNCONFIRMED,
    delays=(2 * _M, 10 * _M, 30 * _M),
    max_attempts=3,
    why="No answer came after a page; what got lost may be the answer, and paper may exist.",
)
DISCONNECTED = _paged(
    error_code=10,
    category=Category.FAX_PROTOCOL,
    delays=(5 * _M, 30 * _M, 2 * _H),
    max_attempts=3,
    fine_from=1,
    remedies=(remedies.RESUME_PAGES, remedies.FORCE_FINE),
    why="The call ended after the protocol's own repeats, so a call right away would meet the same.",
)
TRAINING = _row(
    error_code=12,
    category=Category.TRAINING,
    delays=(1 * _M, 5 * _M, 30 * _M),
    max_attempts=4,
    fine_from=2,
    remedies=(remedies.FORCE_FINE,),
    why="The modems agreed on no speed: line trouble, often on an internet route.",
)
HANDSHAKE = _row(
    error_code=13,
    category=Category.HANDSHAKE_TIMEOUT,
    delays=(2 * _M, 15 * _M, 1 * _H),
    max_attempts=4,
    unproven_max=3,
    why="The first message timed out: a slow machine, or a switch box in front of it.",
)
UNEXPECTED = _paged(
    error_code=18,
    category=Category.FAX_PROTOCOL,
    delays=(1 * _M, 5 * _M, 30 * _M),
    max_attempts=4,
    why="An unexpected message came, which also happens while a finished call is taken down.",
)
LINE_QUALITY = _row(
    error_code=20,
    category=Category.LINE_QUALITY,
    delays=(2 * _M, 10 * _M, 1 * _H),
    max_attempts=4,
    why="The carrier did not stop in time: noise or timing on the route.",
)
STOPPED = _paged(
    error_code=21,
    category=Category.PAGE_UNCONFIRMED,
    # the last one stands for the recipient's next calling window
    delays=(10 * _M, 1 * _H, _MORNING),
    max_attempts=3,
    why="The receiver disconnected after a page: out of paper, or stopped by hand.",
)
RESOLUTION = _row(
    error_code=25,
    category=Category.CAPABILITY,
    delays=(0.0,),
    max_attempts=2,
    fine_from=1,
    final_once_fine=True,
    remedies=(remedies.FORCE_FINE,),
    why="The far side cannot take this resolution, but every machine takes FINE.",
)
FUNDS = _row(
    error_code=46,
    category=Category.FUNDS,
    verdict=Verdict.HOLD,
    spends=Spends.NOTHING,
    scope=Scope.ACCOUNT,
    hold_after=1,
    alert=True,
    why="The account has no funds, so every other fax would fail as well.",
)
OUT_OF_PAPER = _row(
    error_code=48,
    category=Category.NO_ANSWER,
    delays=(30 * _M, 2 * _H, _MORNING),
    max_attempts=4,
    why="The machine did not answer and may be out of paper, which takes a person and time to mend.",
)
CANCELLED = _row(
    error_code=75,
    category=Category.CANCELLED,
    verdict=Verdict.PERMANENT,
    max_attempts=1,
    why="The fax was cancelled at the provider.",
)
TIME_LIMIT = _row(
    error_code=76,
    category=Category.CANCELLED,
    delays=(30 * _M,),
    max_attempts=2,
    why="The provider gave the fax up at its own time limit.",
)
SIMULATED = _as(documents.SIMULATED, 119, documents.SIMULATED.why, Spends.NOTHING)
COUNTRY_BARRED = _row(
    error_code=133,
    category=Category.NOT_PERMITTED,
    verdict=Verdict.PERMANENT,
    spends=Spends.NOTHING,
    max_attempts=1,
    scope=Scope.COUNTRY,
    hold_after=1,
    why="The account may not send there: the country is barred, not the number.",
)

_MAIN_ROWS = (
    PROTOCOL,
    PAGE_SIZE,
    PAGE_UNCONFIRMED,
    DISCONNECTED,
    TRAINING,
    HANDSHAKE,
    _as(calls.NO_FAX_TONE, 14, "The first contact timed out: a person, a voicemail or a dead line."),
    UNEXPECTED,
    LINE_QUALITY,
    STOPPED,
)
_FURTHER_ROWS = (
    _as(TRAINING, 22, "The answer to the modem training was bad."),
    RESOLUTION,
    _as(HANDSHAKE, 26, "The far side did not respond in time."),
    _as(TRAINING, 28, "No modem speed could be trained."),
    _as(PAGE_UNCONFIRMED, 29, "The answer after a page was bad, and paper may exist."),
    _as(calls.INCOMPATIBLE, 31, "The two machines have no mode in common, on this route at least."),
    _as(calls.DROPPED, 38, "The far side hung up first."),
    _as(calls.SETUP, 40, "The telephone network failed."),
    _as(calls.DROPPED, 41, "The far side disconnected while the modems were still negotiating."),
    _as(calls.SETUP, 44, "The telephone network failed."),
    FUNDS,
    OUT_OF_PAPER,
    _as(PAGE_UNCONFIRMED, 53, "The far side disconnected after the signal that ends a page."),
    _as(PAGE_UNCONFIRMED, 60, "An error followed a page break."),
    _as(PROTOCOL, 63, "The fax protocol was violated."),
    _as(calls.INCOMPATIBLE, 68, "The far end is not compatible, on this route at least."),
    CANCELLED,
    TIME_LIMIT,
    _as(PAGE_UNCONFIRMED, 77, "The receiver did not become ready again after a page."),
    _as(CANCELLED, 79, "A cancellation was asked for when the fax had already ended."),
    _as(calls.DROPPED, 80, "The far side disconnected before it had named its abilities."),
    _as(PROTOCOL, 82, "The far side lost step in the protocol."),
    _as(PAGE_UNCONFIRMED, 84, "An unexpected command followed a page."),
    _as(documents.FETCH, 113, "The document was deleted or could not be read.", Spends.NOTHING),
    _as(PROTOCOL, 117, "The call ended without a page received."),
    SIMULATED,
    _as(PAGE_UNCONFIRMED, 131, "The transmission is incomplete."),
    _as(calls.NO_FAX_TONE, 132, "No fax tone was heard: it may be a person or a voicemail."),
    COUNTRY_BARRED,
)

ROWS = (*_MAIN_ROWS, *_FURTHER_ROWS)
