"""Tests of the used share of the rate."""

import pytest

from tests.chaos.share import SendableTime, sendable_jobs


def sampled(*samples: tuple[float, int, int]) -> SendableTime:
    """Return the sendable time of samples: time, waiting jobs and holds."""
    time = SendableTime()
    for now_s, waiting, held in samples:
        time.add_sample(now_s, waiting=waiting, held=held)
    return time


def test_all_of_the_rate_while_jobs_wait_is_one() -> None:
    time = sampled(*((second / 2, 5, 0) for second in range(21)))
    assert time.share([tenth / 10 for tenth in range(100)], rate=10) == pytest.approx(1.0)


def test_a_stop_while_jobs_wait_lowers_the_share() -> None:
    time = sampled(*((second / 2, 5, 0) for second in range(21)))
    assert time.share([tenth / 10 for tenth in range(50)], rate=10) == pytest.approx(0.5)


@pytest.mark.parametrize(("waiting", "held"), [(0, 0), (5, 1)])
def test_time_without_a_job_and_time_under_a_hold_do_not_count(waiting: int, held: int) -> None:
    samples = [(second / 2, 5, 0) for second in range(11)] + [(second / 2, waiting, held) for second in range(11, 41)]
    assert sampled(*samples).share([tenth / 10 for tenth in range(50)], rate=10) == pytest.approx(1.0)


def test_time_without_samples_does_not_count() -> None:
    assert sampled((0.0, 5, 0), (10.0, 5, 0)).intervals == []


def test_waiting_and_leased_jobs_are_those_to_be_sent() -> None:
    assert sendable_jobs({"waiting": 3.0, "leased": 2.0, "sending": 9.0}) == 5
