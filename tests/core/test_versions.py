"""By which version an attempt was sent, from what little is kept of it."""

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.versions import NotedAttempt, VersionStart, first_version, version_of, with_attempt, with_start

ROWS = 6
#: lease the next row, begin an attempt of a row, change what is sent
STEPS = st.lists(st.one_of(st.just("lease"), st.just("change"), st.integers(0, ROWS - 1)), max_size=60)


@given(STEPS)
def test_every_attempt_is_known_by_its_version(steps: list[str | int]) -> None:
    """Rows are leased in order; those that were leased begin, and begin again, in any."""
    version, leased, starts = 1, 0, tuple[VersionStart, ...]()
    noted: dict[int, tuple[NotedAttempt, ...]] = {}
    attempts, sent_by = dict.fromkeys(range(ROWS), 0), dict[tuple[int, int], int]()
    for step in steps:
        if step == "lease":
            leased = min(leased + 1, ROWS)
        elif step == "change":
            version += 1
            starts = with_start(starts, VersionStart(version, leased))
        elif isinstance(step, int) and step < leased:
            attempts[step] += 1
            sent_by[step, attempts[step]] = version
            noted[step] = with_attempt(noted.get(step, ()), NotedAttempt(attempts[step], version), step, starts)
    for (row, attempt), expected in sent_by.items():
        assert version_of(attempt, row, starts, noted.get(row, ())) == expected
    assert len({start.row for start in starts}) == len(starts)


def test_without_a_change_nothing_is_kept() -> None:
    assert with_attempt((), NotedAttempt(3, 1), 5, ()) == ()
    assert version_of(3, 5, (), ()) == 1


def test_jobs_that_had_not_been_leased_need_no_note() -> None:
    starts = (VersionStart(2, 100),)
    assert (first_version(starts, 99), first_version(starts, 100)) == (1, 2)
    assert with_attempt((), NotedAttempt(1, 2), 100, starts) == ()
    assert with_attempt((), NotedAttempt(1, 2), 99, starts) == (NotedAttempt(1, 2),)


def test_versions_by_which_nothing_was_sent_leave_no_trace() -> None:
    starts: tuple[VersionStart, ...] = ()
    for version in range(2, 50):
        starts = with_start(starts, VersionStart(version, 0))
    assert starts == (VersionStart(49, 0),)
