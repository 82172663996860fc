"""Tests that everything waits, reports why, and continues when Redis rejects writes in the middle of a batch."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
import redis

from tests.local.watching import gone, until
from tests.story.conftest import PATIENCE_S, StoryCluster

pytestmark = pytest.mark.story
#: paths that need to write, with the body of a POST
REQUESTS = (("/readyz", None), ("/callbacks/sinch/incoming", b'{"event": "INCOMING_FAX", "fax": {"id": "f"}}'))


def _full(client: "redis.Redis") -> Callable[[], object]:
    client.config_set("maxmemory", 1)
    return lambda: client.config_set("maxmemory", 0)


def _read_only(client: "redis.Redis") -> Callable[[], object]:
    # a replica of a master that does not exist keeps its data
    client.replicaof("127.0.0.1", 9)
    return lambda: client.replicaof("NO", "ONE")


@pytest.mark.parametrize(("area", "block_writes", "reason"), [(312, _full, "memory"), (212, _read_only, "read")])
def test_no_process_dies_and_nothing_is_lost_or_doubled(
    cluster: StoryCluster, area: int, block_writes: Callable[["redis.Redis"], Callable[[], object]], reason: str
) -> None:
    batch = cluster.start_batch([f"+1{area}555{n:04}" for n in range(100, 180)])
    cluster.wait(batch.id, lambda state: state.final > 5)
    pids = {name: process.pid for name, process in cluster.local.processes.items()}
    with redis.Redis.from_url(cluster.local.server.url) as client:
        repair = block_writes(client)
        try:
            until(lambda: _refusal(f"{cluster.local.url}/readyz"), PATIENCE_S)
            refusals = [_refusal(f"{cluster.local.url}{path}", body) for path, body in REQUESTS]
        finally:
            repair()
    assert [refusal and refusal[0] for refusal in refusals] == [503, 503]
    assert reason in str(refusals[0]).lower()
    ended = cluster.wait(batch.id)
    assert ended.counts["delivered"] == 80
    comparison = cluster.compare(batch.id)
    assert (comparison.lost, comparison.doubled, comparison.wrong_state) == ((), (), ())
    assert {name: process.pid for name, process in cluster.local.processes.items()} == pids
    assert not [pid for pid in pids.values() if gone(pid)]
    assert cluster.doctor() == []


def _refusal(url: str, body: bytes | None = None) -> tuple[int, str] | None:
    """Return status and reason of a response with ``Retry-After``; None for any other."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as error:
        return (error.code, json.load(error)["detail"]) if error.headers["Retry-After"] else None
    return None
