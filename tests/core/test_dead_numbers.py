"""What proves that a number is dead, and its area."""

import pytest

from dispatcher.core.dead_numbers import CallEnd, area_of, call_end, figures
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry_table.rows import RULES
from dispatcher.core.suppressions import Suppression, SuppressionSource


def failed(error_type: str, code: int, pages: int = 0) -> FaxUpdate:
    return FaxUpdate(fax_id="F", status=FaxStatus.FAILURE, error_type=error_type, error_code=code, pages_sent=pages)


@pytest.mark.parametrize("key", RULES, ids=lambda key: f"{key[0]}-{key[1]}")
def test_only_two_failures_of_a_call_prove_a_dead_number(key: tuple[str, int]) -> None:
    """Never an answer to a request, whatever its status."""
    end = call_end(failed(*key), called=RULES[key].called)
    assert (end is CallEnd.DEAD) == (key in {("CALL_ERROR", 34), ("CALL_ERROR", 49)})
    assert (end is None) == (not RULES[key].called)


def test_a_call_that_brought_pages_was_answered() -> None:
    assert call_end(failed("CALL_ERROR", 34, pages=1), called=True) is CallEnd.FAILED


def test_a_fax_under_way_has_no_end() -> None:
    assert call_end(FaxUpdate(fax_id="F", status=FaxStatus.UNFINISHED), called=True) is None
    assert call_end(FaxUpdate(fax_id="F", status=FaxStatus.COMPLETED), called=False) is CallEnd.DELIVERED


@pytest.mark.parametrize(
    ("number", "area"),
    [
        ("+12025550143", "1202"),
        ("+74951234567", "7495"),
        ("+493023125123", "49302"),
        ("+442079460143", "44207"),
        ("+3531234567", "353123"),
        ("+88213000000", "882130"),
    ],
)
def test_an_area_is_the_calling_code_and_three_digits(number: str, area: str) -> None:
    assert area_of(number) == area


def test_the_share_is_of_all_last_calls() -> None:
    """More than five in a hundred of two hundred: with eleven, even if there were no more calls yet."""
    assert figures(Policy())["allowed"] == 10


@pytest.mark.parametrize(
    ("expires_ms", "source", "ignore", "active"),
    [
        (0, SuppressionSource.MANUAL, True, True),
        (1001, SuppressionSource.MANUAL, False, True),
        (1000, SuppressionSource.MANUAL, False, False),
        (0, SuppressionSource.DEAD_NUMBER, False, True),
        (0, SuppressionSource.DEAD_NUMBER, True, False),
        (0, SuppressionSource.UNREADABLE, True, True),
    ],
)
def test_an_entry_counts_until_it_expires(
    expires_ms: int, source: SuppressionSource, ignore: bool, active: bool
) -> None:
    entry = Suppression(number="+12025550143", source=source, expires_ms=expires_ms)
    assert entry.is_active(1000, ignore_dead_numbers=ignore) is active
