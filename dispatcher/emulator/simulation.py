"""The life of an outbound fax: conversion, calls, the end. One timer for each fax."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dispatcher.emulator import fax_errors
from dispatcher.emulator.callbacks import Callbacks
from dispatcher.emulator.clock import Clock
from dispatcher.emulator.documents import Document, Documents
from dispatcher.emulator.faxes import EmulatedFax
from dispatcher.emulator.scenario import Outcome, Scenario
from dispatcher.emulator.seeded_random import draw

#: The provider's free test number: always delivered, costs nothing.
TEST_NUMBER = "+19898989898"
#: Seconds for making the PDF; then a one-page fax to an ordinary line takes about 5 s live.
CONVERT_S = 1.0
_CONNECT_S = 2.0
_PAGE_S = 3.0
_DELIVERED = Outcome()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationPlan:
    """How a fax will go: seconds until its end (None: never), how the last call ends, calls made."""

    seconds: float | None
    outcome: Outcome
    calls: int


def plan(
    scenario: Scenario, to: str, first_call: int, *, pages: int, max_retries: int, retry_delay_s: float
) -> SimulationPlan:
    """Go through the calls to `to`, of which the first is number `first_call` to that number."""
    seconds = CONVERT_S
    calls = 0
    while True:
        outcome = _DELIVERED if to == TEST_NUMBER else scenario.outcome(to, first_call + calls)
        chance = draw(scenario.seed, "pace", to, first_call + calls)
        seconds += call_seconds(outcome, pages) * (0.75 + chance / 2)
        calls += 1
        if outcome.stuck:
            return SimulationPlan(seconds=None, outcome=outcome, calls=calls)
        if outcome.error_type in (None, fax_errors.DOCUMENT) or calls > max_retries:
            return SimulationPlan(seconds=seconds, outcome=outcome, calls=calls)
        seconds += retry_delay_s


def call_seconds(outcome: Outcome, pages: int) -> float:
    """How long a call with this end usually takes."""
    if outcome.seconds is not None:
        return outcome.seconds
    if outcome.error_type is None or outcome.error_code is None:
        return _CONNECT_S + _PAGE_S * pages
    sent = pages_sent(outcome, pages)
    return fax_errors.seconds(outcome.error_type, outcome.error_code) + _PAGE_S * sent


def pages_sent(outcome: Outcome, pages: int) -> int:
    if outcome.pages_sent is not None:
        return min(outcome.pages_sent, pages)
    if outcome.error_type is None or outcome.error_code is None:
        return pages
    return fax_errors.pages_sent(outcome.error_type, outcome.error_code, pages)


class Simulation:
    """Runs faxes from acceptance to their end. All times are divided by the speed."""

    def __init__(
        self,
        *,
        clock: Clock,
        documents: Documents,
        callbacks: Callbacks,
        speed: float,
        scenario: Callable[[], Scenario],
    ) -> None:
        self._clock = clock
        self._documents = documents
        self._callbacks = callbacks
        self._speed = speed
        self._scenario = scenario
        self._calls_to: Counter[str] = Counter()

    def begin(self, fax: EmulatedFax, parts: Sequence[Document], *, at_once: bool = False) -> None:
        """Start a fax with its documents; `at_once` ends it now and leaves the callback to the caller."""
        fax.documents = tuple(parts)
        bad = next((part.error_code for part in parts if part.error_code is not None), None)
        if bad is not None:
            self._end_later(fax, _document_failure(bad), at_once=at_once)
            return
        pages = sum(part.pages for part in parts)
        way = plan(
            self._scenario(),
            fax.to,
            self._calls_to[fax.to],
            pages=pages,
            max_retries=fax.settings["maxRetries"],
            retry_delay_s=fax.settings["retryDelaySeconds"],
        )
        self._calls_to[fax.to] += way.calls
        self._end_later(fax, way, at_once=at_once)

    def fail_document(self, fax: EmulatedFax, code: int, *, at_once: bool) -> None:
        """End a fax whose document could not be got."""
        self._end_later(fax, _document_failure(code), at_once=at_once)

    def _end_later(self, fax: EmulatedFax, way: SimulationPlan, *, at_once: bool) -> None:
        fax.progress_ms = fax.created_ms + int(CONVERT_S * 1000 / self._speed)
        if at_once:
            self._end(fax, way)
        elif way.seconds is not None:
            asyncio.get_running_loop().call_later(way.seconds / self._speed, self._end_and_tell, fax, way)
            if fax.page_notices:
                self._announce_pages(fax, way.outcome, way.seconds)

    def _announce_pages(self, fax: EmulatedFax, outcome: Outcome, end_s: float) -> None:
        """Set a notice for each page that will go through, at the pace of the last call."""
        loop = asyncio.get_running_loop()
        pages = sum(part.pages for part in fax.documents)
        sent = pages_sent(outcome, pages)
        first_s = max(end_s - _PAGE_S * sent, 0.0)
        for page in range(1, sent + 1):
            at_s = first_s + (end_s - first_s) * page / (sent + 1)
            loop.call_later(at_s / self._speed, self._page_through, fax, page)

    def _page_through(self, fax: EmulatedFax, page: int) -> None:
        fax.pages_sent = page
        self._callbacks.page_sent(fax)

    def _end_and_tell(self, fax: EmulatedFax, way: SimulationPlan) -> None:
        self._end(fax, way)
        self._callbacks.completed(fax)

    def _end(self, fax: EmulatedFax, way: SimulationPlan) -> None:
        outcome = way.outcome
        fax.retries = max(way.calls - 1, 0)
        fax.ends_ms = self._clock.now_ms()
        if outcome.error_type != fax_errors.DOCUMENT:
            self._convert(fax)
        fax.pages_sent = pages_sent(outcome, fax.pages)
        if outcome.error_type is None or outcome.error_code is None:
            fax.status = "COMPLETED"
            return
        fax.status = "FAILURE"
        text = fax_errors.message(outcome.error_type, outcome.error_code)
        fax.error = (outcome.error_type, outcome.error_code, text)

    def _convert(self, fax: EmulatedFax) -> None:
        """Make the PDF of the fax, and keep it if its service saves documents."""
        fax.pages = sum(part.pages for part in fax.documents)
        if fax.keep_file and fax.documents:
            fax.content = self._documents.merged(fax.documents)


def _document_failure(code: int) -> SimulationPlan:
    seconds = fax_errors.seconds(fax_errors.DOCUMENT, code)
    outcome = Outcome(error_type=fax_errors.DOCUMENT, error_code=code)
    return SimulationPlan(seconds=seconds, outcome=outcome, calls=0)
