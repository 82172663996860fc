"""When a batch will have ended, how fast it goes, and what its jobs wait for."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.progress import LATELY_MS, MINUTE_MS, Basis, End, Lately, Remaining, Wait, end_of, waits_of

NOW = 1_795_000_020_000
WINDOW = NOW // LATELY_MS
#: the next full minute
FULL = (WINDOW + 1) * LATELY_MS
HOUR = 3_600_000
RUNNING = Remaining(now_ms=NOW, live=100, limited_by=LimitedBy.RATE, rate=10.0)
RETRIES = Remaining(
    now_ms=NOW, live=18, later=18, last_try_ms=NOW + HOUR, limited_by=LimitedBy.WAITING_FOR_RETRY, rate=0.0
)


@pytest.mark.parametrize(
    ("left", "end"),
    [
        (RUNNING, End(NOW + 10_000, Basis.RATE)),
        (replace(RUNNING, live=0), None),
        (replace(RUNNING, rate=0.0), None),
        (replace(RUNNING, held=1), None),
        (replace(RUNNING, withheld=1), None),
        (replace(RETRIES, withheld=1), None),
        (replace(RUNNING, limited_by=None), End(NOW + 10_000, Basis.RATE)),
        (replace(RUNNING, later=50, last_try_ms=NOW + HOUR), End(NOW + HOUR, Basis.RETRIES)),
        (replace(RUNNING, later=50, last_try_ms=NOW + 1_000), End(NOW + 5_000, Basis.RATE)),
        (replace(RUNNING, deadline_ms=NOW + 5_000), End(NOW + 5_000, Basis.DEADLINE)),
        (replace(RUNNING, deadline_ms=NOW + HOUR), End(NOW + 10_000, Basis.RATE)),
        (replace(RUNNING, live=10**9, rate=0.001), None),
        (RETRIES, End(NOW + HOUR, Basis.RETRIES)),
        (replace(RETRIES, live=20), End(NOW + HOUR, Basis.RETRIES)),
        (replace(RETRIES, live=20, limited_by=LimitedBy.RATE), None),
        (replace(RETRIES, live=20, limited_by=LimitedBy.NUMBER_BUSY), End(NOW + HOUR, Basis.RETRIES)),
        (replace(RETRIES, last_try_ms=NOW - 5), End(NOW, Basis.RETRIES)),
        (replace(RETRIES, deadline_ms=NOW + 60_000), End(NOW + 60_000, Basis.DEADLINE)),
        *(
            (replace(left, limited_by=word), None)
            for left in (RUNNING, RETRIES)
            for word in (LimitedBy.NOT_STARTED, LimitedBy.PARTIAL_START, LimitedBy.PAUSED, LimitedBy.HOLD)
        ),
        *((replace(RUNNING, limited_by=word), None) for word in (LimitedBy.NO_WORKER, LimitedBy.STORE)),
    ],
)
def test_the_end_is_named_only_if_the_batch_reaches_it_by_itself(left: Remaining, end: End | None) -> None:
    assert end_of(left) == end


@given(
    st.builds(
        Remaining,
        now_ms=st.just(NOW),
        live=st.integers(0, 10_000),
        later=st.integers(0, 10_000),
        last_try_ms=st.integers(NOW - HOUR, NOW + 100 * HOUR),
        held=st.integers(0, 3),
        withheld=st.integers(0, 3),
        limited_by=st.none() | st.sampled_from(LimitedBy),
        rate=st.floats(0, 400),
        deadline_ms=st.sampled_from((0, NOW + 1, NOW + HOUR)),
    )
)
def test_an_end_lies_ahead_and_never_before_the_last_retry(left: Remaining) -> None:
    end = end_of(left)
    if end is None:
        return
    assert left.live > 0
    assert left.held == left.withheld == 0
    assert end.at_ms >= NOW
    if end.basis is not Basis.DEADLINE and left.later > 0:
        assert end.at_ms >= left.last_try_ms


@pytest.mark.parametrize(
    ("text", "now_ms", "started_ms", "rate"),
    [
        ("", NOW, NOW - HOUR, 0.0),
        (f"{WINDOW + 1} 600 0", FULL + 60_000 - 1, FULL - HOUR, 10.0),
        (f"{WINDOW} 600 0", FULL, FULL - HOUR, 10.0),
        (f"{WINDOW} 600 0", FULL + 30_000, FULL - HOUR, 5.0),
        (f"{WINDOW + 1} 300 600", FULL + 30_000, FULL - HOUR, 10.0),
        (f"{WINDOW} 600 600", FULL + 60_000, FULL - HOUR, 0.0),
        (f"{WINDOW + 1} 50 0", FULL + 10_000, FULL + 5_000, 10.0),
        (f"{WINDOW + 1} 5 0", FULL + 10, FULL + 10, 5.0),
        (f"{WINDOW + 9} 600 0", FULL, FULL - HOUR, 0.0),
        # it began 30 s before the window: all of the window before counts, and then what lies within the last minute
        (f"{WINDOW + 1} 30 30", FULL + 30_000, FULL - 30_000, 1.0),
        (f"{WINDOW + 1} 45 30", FULL + 45_000, FULL - 30_000, 1.0),
        (f"{WINDOW + 1} 5 600", FULL + 5_000, FULL + 1, 1.0),
    ],
)
def test_the_rate_is_that_of_the_last_minute(text: str, now_ms: int, started_ms: int, rate: float) -> None:
    assert Lately.parse(text).rate(now_ms, started_ms) == pytest.approx(rate, rel=1e-3)


@given(st.lists(st.integers(0, 20), min_size=5, max_size=40))
def test_an_even_rate_is_shown_as_it_is(jobs_in_second: list[int]) -> None:
    """Whatever the moment: the rate of a steady batch does not jump at the edge of a window."""
    steady = jobs_in_second[0]
    for into in range(0, 60, 7):
        seen = Lately(window=WINDOW + 1, jobs=steady * into, jobs_before=steady * 60)
        assert seen.rate(FULL + into * 1000, NOW - HOUR) == pytest.approx(steady)


@given(start_s=st.integers(-200, 59), now_s=st.integers(0, 59), steady=st.integers(1, 400))
def test_an_even_rate_is_shown_as_it_is_from_the_start_on(start_s: int, now_s: int, steady: int) -> None:
    """``FULL`` begins the window of now; a batch that has run for less than a minute has its own rate too."""
    start_s = min(start_s, now_s - 1)
    seen = Lately(
        window=WINDOW + 1, jobs=steady * (now_s - max(0, start_s)), jobs_before=steady * min(60, max(0, -start_s))
    )
    assert seen.rate(FULL + now_s * 1000, FULL + start_s * 1000) == pytest.approx(steady)


@given(st.lists(st.integers(0, 60_000), max_size=200), st.integers(0, 59_999), st.integers(0, 60_000))
def test_the_rate_never_counts_more_than_has_ended(ends: list[int], into_ms: int, ran_ms: int) -> None:
    """Jobs end at any times since the start, which lies in the window before."""
    now_ms, started_ms = FULL + into_ms, FULL - ran_ms
    times = [started_ms + ended for ended in ends if started_ms + ended <= now_ms]
    seen = Lately(
        window=WINDOW + 1,
        jobs=sum(time_ms >= FULL for time_ms in times),
        jobs_before=sum(time_ms < FULL for time_ms in times),
    )
    shown = seen.rate(now_ms, started_ms) * min(max(now_ms - started_ms, 1000), LATELY_MS) / 1000
    assert -1e-6 <= shown <= len(times) + 1e-6
    if now_ms - started_ms <= LATELY_MS:
        assert shown == pytest.approx(len(times))


def test_waits_have_their_first_and_last_try() -> None:
    minute = NOW // MINUTE_MS
    due = [("busy", minute + 12, 10), ("busy", minute + 200, 8), ("config", 10**9, 2), ("no_answer", minute - 9, 1)]
    waiting = {"busy": 18, "config": 2, "no_answer": 3, "": 7}
    first_ms, last_ms = (minute + 12) * MINUTE_MS + 5_000, (minute + 200) * MINUTE_MS + 7_000
    waits = waits_of(waiting, due, held_from_ms=10**9 * MINUTE_MS, first_ms=first_ms, last_ms=last_ms)
    assert waits == [
        Wait(category="busy", jobs=18, next_ms=first_ms, last_ms=last_ms),
        Wait(category="no_answer", jobs=3),
        Wait(category="config", jobs=2, held=2),
    ]


@given(st.lists(st.tuples(st.sampled_from(["busy", "no_answer", "network"]), st.integers(NOW, NOW + HOUR)), min_size=1))
def test_waits_agree_with_the_jobs_to_the_minute(jobs: list[tuple[str, int]]) -> None:
    due = Counter((category, due_ms // MINUTE_MS) for category, due_ms in jobs)
    times = [due_ms for _, due_ms in jobs]
    waits = waits_of(
        Counter(category for category, _ in jobs),
        [(category, minute, count) for (category, minute), count in due.items()],
        held_from_ms=10**15,
        first_ms=min(times),
        last_ms=max(times),
    )
    assert sum(wait.jobs for wait in waits) == len(jobs)
    for wait in waits:
        own = [due_ms for category, due_ms in jobs if category == wait.category]
        assert wait.jobs == len(own)
        assert 0 <= min(own) - wait.next_ms < MINUTE_MS
        assert 0 <= wait.last_ms - max(own) < MINUTE_MS
