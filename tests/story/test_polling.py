"""Tests of a system without a public URL: documents are sent as base64, and results are polled."""

import pytest

from tests.story.conftest import StoryCluster

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def polling() -> bool:
    """Run without callbacks."""
    return True


def test_faxes_end_as_they_do_with_callbacks(cluster: StoryCluster) -> None:
    expected = {
        "+12025550100": "delivered",
        "+12025550101": "delivered",
        "+12025550102": "failed",
        "+12025550103": "delivered",
        "+12025550105": "delivered",
        "+12025550113": "delivered_unconfirmed",
    } | {f"+1202555{n:04}": "delivered" for n in range(120, 160)}
    batch = cluster.wait(cluster.start_batch(list(expected)).id)
    assert {number: job.state for number, job in cluster.jobs(batch.id).items()} == expected
    comparison = cluster.compare(batch.id)
    assert (comparison.lost, comparison.doubled, comparison.wrong_state) == ((), (), ())


def test_many_faxes_are_read_back_with_few_requests(cluster: StoryCluster) -> None:
    before = cluster.provider_reads()
    batch = cluster.wait(cluster.start_batch([f"+1212555{n:04}" for n in range(100, 200)]).id)
    assert batch.counts["delivered"] == 100
    assert cluster.provider_reads() - before < 50, "a list contains many faxes"
