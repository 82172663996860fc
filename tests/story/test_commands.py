"""Tests of pause, resume, cancel and rerun while a batch is running."""

import pytest

from dispatcher.client import CancelJobs, NewRerun, Options, Overrides
from tests.story.conftest import StoryCluster

pytestmark = pytest.mark.story


def test_no_job_begins_after_pause_has_answered_and_all_are_sent_once_after_resume(cluster: StoryCluster) -> None:
    batch = cluster.start_batch([f"+1303555{n:04}" for n in range(100, 200)])
    cluster.wait(batch.id, lambda state: state.final > 5)
    paused = cluster.client.pause(batch.id)
    assert paused.state == "paused"
    begun = sum(paused.counts[state] for state in ("sending", "accepted")) + paused.final
    quiet = cluster.wait(batch.id, lambda state: not (state.counts["sending"] or state.counts["accepted"]))
    assert quiet.final == begun
    assert len([fax for fax in cluster.local.emulator_api.ledger() if fax.job.startswith(batch.id)]) == begun
    cluster.client.resume(batch.id)
    ended = cluster.wait(batch.id)
    assert (ended.state, ended.counts["delivered"]) == ("finished", 100)
    assert cluster.compare(batch.id).doubled == ()


def test_cancel_stops_the_rest_and_lets_calls_in_flight_run_out(cluster: StoryCluster) -> None:
    batch = cluster.start_batch([f"+1404555{n:04}" for n in range(100, 200)])
    cluster.wait(batch.id, lambda state: state.final > 5)
    cluster.client.cancel(batch.id)
    ended = cluster.wait(batch.id)
    assert ended.state == "cancelled"
    assert ended.counts["cancelled"] + ended.counts["delivered"] == 100
    comparison = cluster.compare(batch.id)
    assert (comparison.lost, comparison.doubled, comparison.wrong_state) == ((), (), ())


def test_a_rerun_is_a_new_batch_of_the_failed_jobs(cluster: StoryCluster) -> None:
    batch = cluster.wait(cluster.start_batch(["+12025550100", "+12025550114"]).id)
    rerun = cluster.client.rerun(batch.id, NewRerun(reason="a test"))
    ended = cluster.wait(rerun.id)
    assert (ended.parent, ended.rows, ended.counts["failed"]) == (batch.id, 1, 1)
    assert cluster.client.batch(batch.id).counts == batch.counts, "final states do not change"


def test_a_single_fax_overtakes_a_batch(cluster: StoryCluster) -> None:
    batch = cluster.start_batch([f"+1503555{n:04}" for n in range(100, 200)])
    job = cluster.single_fax("+12025550100")
    cluster.wait(job.batch)
    assert cluster.client.job(job.id).state == "delivered"
    assert not cluster.client.batch(batch.id).ended
    cluster.client.cancel(batch.id)
    cluster.wait(batch.id)


def test_a_wrong_sender_is_put_right_with_one_rerun(cluster: StoryCluster) -> None:
    numbers = [f"+1605555{n:04}" for n in range(100, 120)]
    wrong = cluster.start_batch(numbers, options=Options(**{"from": "+12025550177"}))
    cluster.wait(wrong.id, lambda state: state.counts["delivered"] == 0 and (state.state == "held" or state.final > 0))
    cluster.client.cancel(wrong.id)
    ended = cluster.wait(wrong.id)
    asked = NewRerun(
        states=("failed", "cancelled"),
        overrides=Overrides(options=Options(**{"from": "+12025550100"})),
        reason="the sender is not ours",
    )
    preview = cluster.client.preview_rerun(wrong.id, asked)
    assert preview.jobs == len(numbers) - ended.counts["delivered"]
    rerun = cluster.wait(cluster.client.rerun(wrong.id, asked).id)
    assert (rerun.state, rerun.counts["delivered"]) == ("finished", preview.jobs)
    assert (rerun.parents, rerun.reason) == ((wrong.id,), "the sender is not ours")
    assert cluster.client.batch(wrong.id).reruns == (rerun.id,)
    numbers_sent = [fax for job in cluster.jobs(rerun.id).values() for fax in cluster.faxes(job)]
    assert len(numbers_sent) == preview.jobs


def test_no_job_that_was_cancelled_while_the_batch_runs_is_faxed(cluster: StoryCluster) -> None:
    batch = cluster.start_batch([f"+1606555{n:04}" for n in range(100, 200)])
    cluster.wait(batch.id, lambda state: state.final > 5)
    named = CancelJobs(prefixes=("+160655501",), reason="a test")
    done = cluster.client.cancel_jobs(batch.id, named)
    assert done.jobs + done.in_flight > 0
    cancelled = [job for job in cluster.jobs(batch.id).values() if job.state == "cancelled"]
    assert len(cancelled) == done.jobs
    ended = cluster.wait(batch.id)
    assert ended.state == "finished"
    assert ended.counts["cancelled"] == done.jobs
    assert [fax for job in cancelled for fax in cluster.faxes(job)] == []
    comparison = cluster.compare(batch.id)
    assert (comparison.lost, comparison.doubled, comparison.wrong_state) == ((), (), ())


def test_a_part_is_sent_and_the_rest_after_a_command(cluster: StoryCluster) -> None:
    batch = cluster.start_batch([f"+1607555{n:04}" for n in range(100, 130)], first=5)
    part = cluster.wait(batch.id, lambda state: state.at_rest)
    assert (part.state, part.limited_by, part.final, part.withheld) == ("running", "partial_start", 5, 25)
    cluster.client.continue_batch(batch.id)
    ended = cluster.wait(batch.id)
    assert (ended.state, ended.counts["delivered"]) == ("finished", 30)
