"""Pause, resume, cancel and rerun of a running batch, as an on-call engineer uses them."""

import pytest

from tests.story.conftest import Site

pytestmark = pytest.mark.story


def test_no_job_begins_after_pause_has_answered_and_all_are_sent_once_in_the_end(site: Site) -> None:
    batch = site.start_batch([f"+1303555{n:04}" for n in range(100, 200)])
    site.wait(batch.id, lambda seen: seen.final > 5)
    paused = site.client.pause(batch.id)
    assert paused.state == "paused"
    begun = sum(paused.counts[state] for state in ("sending", "accepted")) + paused.final
    quiet = site.wait(batch.id, lambda seen: not (seen.counts["sending"] or seen.counts["accepted"]))
    assert quiet.final == begun
    assert len([fax for fax in site.local.ledger() if fax.job.startswith(batch.id)]) == begun
    site.client.resume(batch.id)
    ended = site.wait(batch.id)
    assert (ended.state, ended.counts["delivered"]) == ("finished", 100)
    assert site.compare(batch.id).doubled == ()


def test_cancel_stops_the_rest_and_lets_calls_in_flight_run_out(site: Site) -> None:
    batch = site.start_batch([f"+1404555{n:04}" for n in range(100, 200)])
    site.wait(batch.id, lambda seen: seen.final > 5)
    site.client.cancel(batch.id)
    ended = site.wait(batch.id)
    assert ended.state == "cancelled"
    assert ended.counts["cancelled"] + ended.counts["delivered"] == 100
    found = site.compare(batch.id)
    assert (found.lost, found.doubled, found.wrong_state) == ((), (), ())


def test_a_rerun_is_a_new_batch_of_the_failed_jobs(site: Site) -> None:
    batch = site.wait(site.start_batch(["+12025550100", "+12025550102"]).id)
    rerun = site.client.rerun(batch.id, states=["failed"], start=True)
    ended = site.wait(rerun.id)
    assert (ended.parent, ended.rows, ended.counts["failed"]) == (batch.id, 1, 1)
    assert site.client.batch(batch.id).counts == batch.counts, "final stays final"


def test_a_single_fax_overtakes_a_batch(site: Site) -> None:
    batch = site.start_batch([f"+1503555{n:04}" for n in range(100, 200)])
    job = site.single_fax("+12025550100")
    site.wait(job.batch)
    assert site.client.job(job.id).state == "delivered"
    assert not site.client.batch(batch.id).ended
    site.client.cancel(batch.id)
    site.wait(batch.id)
