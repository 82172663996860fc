"""Tests of the result of one recipient for every possible course of send, call and callback."""

from collections.abc import Mapping

import pytest

from dispatcher.client import Batch, Job
from tests.story.conftest import StoryCluster

pytestmark = pytest.mark.story

#: by number: final state, number of faxes at the provider, and what happens
STORIES: Mapping[str, tuple[str, int, str]] = {
    "+12025550100": ("delivered", 1, "all goes well"),
    "+12025550101": ("delivered", 2, "busy, then delivered"),
    "+12025550102": ("failed", 1, "the number does not exist"),
    "+12025550103": ("delivered", 1, "accepted, but no answer before the timeout: found, not sent again"),
    "+12025550104": ("delivered", 1, "accepted, but the connection closed: found, not sent again"),
    "+12025550105": ("delivered", 1, "500 without acceptance: not found, sent again"),
    "+12025550106": ("delivered", 1, "500 after acceptance: found, not sent again"),
    "+12025550107": ("delivered", 1, "429 with a time: sent again after it"),
    "+12025550108": ("delivered", 1, "closed before acceptance: not found, sent again"),
    "+12025550109": ("delivered", 1, "the callback was lost: read back"),
    "+12025550110": ("delivered", 1, "the callback came twice"),
    "+12025550111": ("delivered", 1, "the callback came before the answer to the POST"),
    "+12025550112": ("delivered", 1, "the callback came late"),
    "+12025550113": ("delivered_unconfirmed", 1, "all pages arrived, the last acknowledgement did not"),
    "+12025550114": ("failed", 0, "the provider refuses the request"),
    "+12025550115": ("delivered", 2, "busy with a doubled callback, then delivered"),
}


@pytest.fixture(scope="module")
def batch(cluster: StoryCluster) -> Batch:
    """The batch of all stories, after it has ended."""
    started = cluster.start_batch(list(STORIES))
    return cluster.wait(started.id)


@pytest.fixture(scope="module")
def jobs(cluster: StoryCluster, batch: Batch) -> dict[str, Job]:
    """The jobs of the batch by number."""
    return cluster.jobs(batch.id)


@pytest.mark.parametrize("number", STORIES, ids=[f"{n[-3:]} {story[2]}" for n, story in STORIES.items()])
def test_a_recipient_ends_as_its_story_says(cluster: StoryCluster, jobs: dict[str, Job], number: str) -> None:
    state, faxes, _ = STORIES[number]
    assert (jobs[number].state, len(cluster.faxes(jobs[number]))) == (state, faxes)


def test_nothing_is_lost_doubled_or_wrong(cluster: StoryCluster, batch: Batch) -> None:
    comparison = cluster.compare(batch.id)
    assert (comparison.lost, comparison.doubled, comparison.wrong_state) == ((), (), ())


def test_the_counts_of_the_batch_are_those_of_its_jobs(batch: Batch, jobs: dict[str, Job]) -> None:
    states = [job.state for job in jobs.values()]
    assert {state: n for state, n in batch.counts.items() if n} == {state: states.count(state) for state in states}


def test_a_refused_send_spends_no_attempt(cluster: StoryCluster, jobs: dict[str, Job]) -> None:
    job = cluster.client.job(jobs["+12025550107"].id)
    assert (job.dials, job.tries, list(job.history)) == (0, 0, [])
    assert job.attempt == 2, "each POST has its own number"


def test_a_job_has_its_history(cluster: StoryCluster, jobs: dict[str, Job]) -> None:
    job = cluster.client.job(jobs["+12025550101"].id)
    assert [(entry.outcome, entry.category) for entry in job.history] == [("failed", "busy")]
    # not always 1 and 2: a missed slot on a busy machine uses up a number
    assert 0 < job.history[0].attempt < job.attempt
    assert "next call" in (job.history[0].why or "")


def test_the_metrics_count_what_the_batch_says(cluster: StoryCluster, batch: Batch) -> None:
    text = cluster.metrics()
    delivered = batch.counts["delivered"]
    assert f'bulkfax_jobs{{state="delivered"}} {float(delivered)}' in text
    assert 'bulkfax_jobs_final_total{category="bad_number",state="failed"} 1.0' in text
    assert 'bulkfax_job_error_types_total{error_type="CALL_ERROR"} 1.0' in text
    assert 'bulkfax_provider_responses_total{status="429"} 1.0' in text
