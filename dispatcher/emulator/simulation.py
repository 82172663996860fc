"""Simulates outbound faxes: document conversion, calls and the final status.

Each fax has one timer, and one for each page if it has page callbacks.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dispatcher.emulator import fax_errors
from dispatcher.emulator.callbacks import CallbackSender
from dispatcher.emulator.clock import Clock
from dispatcher.emulator.documents import Document, Documents
from dispatcher.emulator.faxes import EmulatedFax
from dispatcher.emulator.scenario import Outcome, Scenario
from dispatcher.emulator.seeded_random import seeded_random

#: the provider's free test number: every fax is delivered and costs nothing
TEST_NUMBER = "+19898989898"
#: duration of the document conversion, in seconds; a fax of one page takes about 6 s with it
CONVERT_S = 1.0
_CONNECT_S = 2.0
_PAGE_S = 3.0
_DELIVERED = Outcome()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationPlan:
    """The course of a fax, decided when its simulation starts."""

    #: seconds until the fax is final; None: never
    seconds: float | None
    #: outcome of the last call
    outcome: Outcome
    #: number of calls
    calls: int


def plan_calls(
    scenario: Scenario, to: str, first_call: int, *, pages: int, max_retries: int, retry_delay_s: float
) -> SimulationPlan:
    """Plan the calls of a fax to ``to``.

    Args:
        scenario: Decides the outcome of each call.
        to: The recipient number.
        first_call: How many calls to this number came before.
        pages: The number of pages of the fax.
        max_retries: How many calls may follow the first one.
        retry_delay_s: The pause between two calls.
    """
    seconds = CONVERT_S
    calls = 0
    while True:
        outcome = _DELIVERED if to == TEST_NUMBER else scenario.outcome(to, first_call + calls)
        chance = seeded_random(scenario.seed, "pace", to, first_call + calls)
        seconds += call_seconds(outcome, pages) * (0.75 + chance / 2)
        calls += 1
        if outcome.stuck:
            return SimulationPlan(seconds=None, outcome=outcome, calls=calls)
        if outcome.error_type in (None, fax_errors.DOCUMENT) or calls > max_retries:
            return SimulationPlan(seconds=seconds, outcome=outcome, calls=calls)
        seconds += retry_delay_s


def call_seconds(outcome: Outcome, pages: int) -> float:
    """Return the duration of a call before random variation: the scenario's, or else the usual one of the outcome."""
    if outcome.seconds is not None:
        return outcome.seconds
    if outcome.error_type is None or outcome.error_code is None:
        return _CONNECT_S + _PAGE_S * pages
    sent = pages_sent(outcome, pages)
    return fax_errors.seconds(outcome.error_type, outcome.error_code) + _PAGE_S * sent


def pages_sent(outcome: Outcome, pages: int) -> int:
    """Return how many of ``pages`` a call with this outcome transmits."""
    if outcome.pages_sent is not None:
        return min(outcome.pages_sent, pages)
    if outcome.error_type is None or outcome.error_code is None:
        return pages
    return fax_errors.pages_sent(outcome.error_type, outcome.error_code, pages)


class Simulation:
    """Simulates faxes from their acceptance to their final status.

    All durations are divided by ``speed``.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        documents: Documents,
        callbacks: CallbackSender,
        speed: float,
        scenario: Callable[[], Scenario],
    ) -> None:
        self._clock = clock
        self._documents = documents
        self._callbacks = callbacks
        self._speed = speed
        self._scenario = scenario
        self._calls_to: Counter[str] = Counter()

    def start(self, fax: EmulatedFax, parts: Sequence[Document], *, immediately: bool = False) -> None:
        """Start the simulation of a fax.

        Args:
            fax: The fax.
            parts: Its documents, in order.
            immediately: Make the fax final now; the caller sends the callback.
        """
        fax.documents = tuple(parts)
        error_code = next((part.error_code for part in parts if part.error_code is not None), None)
        if error_code is not None:
            self._schedule_end(fax, _document_failure(error_code), immediately=immediately)
            return
        pages = sum(part.pages for part in parts)
        plan = plan_calls(
            self._scenario(),
            fax.to,
            self._calls_to[fax.to],
            pages=pages,
            max_retries=fax.settings["maxRetries"],
            retry_delay_s=fax.settings["retryDelaySeconds"],
        )
        self._calls_to[fax.to] += plan.calls
        self._schedule_end(fax, plan, immediately=immediately)

    def fail_document(self, fax: EmulatedFax, code: int, *, immediately: bool) -> None:
        """Let a fax fail because one of its documents could not be fetched."""
        self._schedule_end(fax, _document_failure(code), immediately=immediately)

    def _schedule_end(self, fax: EmulatedFax, plan: SimulationPlan, *, immediately: bool) -> None:
        fax.progress_ms = fax.created_ms + int(CONVERT_S * 1000 / self._speed)
        if immediately:
            self._end(fax, plan)
        elif plan.seconds is not None:
            asyncio.get_running_loop().call_later(plan.seconds / self._speed, self._end_and_notify, fax, plan)
            if fax.page_callbacks:
                self._schedule_page_callbacks(fax, plan.outcome, plan.seconds)

    def _schedule_page_callbacks(self, fax: EmulatedFax, outcome: Outcome, end_s: float) -> None:
        """Schedule a callback for each page that the last call transmits."""
        loop = asyncio.get_running_loop()
        pages = sum(part.pages for part in fax.documents)
        sent = pages_sent(outcome, pages)
        first_s = max(end_s - _PAGE_S * sent, 0.0)
        for page in range(1, sent + 1):
            delay_s = first_s + (end_s - first_s) * page / (sent + 1)
            loop.call_later(delay_s / self._speed, self._finish_page, fax, page)

    def _finish_page(self, fax: EmulatedFax, page: int) -> None:
        fax.pages_sent = page
        self._callbacks.send_page_sent(fax)

    def _end_and_notify(self, fax: EmulatedFax, plan: SimulationPlan) -> None:
        self._end(fax, plan)
        self._callbacks.send_completed(fax)

    def _end(self, fax: EmulatedFax, plan: SimulationPlan) -> None:
        outcome = plan.outcome
        fax.retries = max(plan.calls - 1, 0)
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
        """Count the pages of a fax, and create its PDF if its service saves documents."""
        fax.pages = sum(part.pages for part in fax.documents)
        if fax.keep_file and fax.documents:
            fax.content = self._documents.merged(fax.documents)


def _document_failure(code: int) -> SimulationPlan:
    seconds = fax_errors.seconds(fax_errors.DOCUMENT, code)
    outcome = Outcome(error_type=fax_errors.DOCUMENT, error_code=code)
    return SimulationPlan(seconds=seconds, outcome=outcome, calls=0)
