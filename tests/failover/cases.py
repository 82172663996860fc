"""The failovers of the drill: what is lost of the master's writes, and how another server takes over."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from redis.crc import key_slot

from dispatcher.store.keys import Keys
from tests.redis_servers import (
    PASSWORD,
    ClusterGroup,
    RedisProcess,
    SentinelGroup,
    redis_cluster,
    sentinel_group,
    until,
)

_SLOT = key_slot(Keys().epoch.encode())
#: milliseconds without an answer after which Sentinels and nodes of a cluster take a master for dead; a Sentinel
#: promotes no replica that has heard nothing of its master for ten times as long
_DOWN_AFTER_MS, _STALE_DOWN_AFTER_MS = 1000, 2000
_BEHIND_S, _STALE_S = 2.0, 12.0


class Failover(StrEnum):
    """A failover."""

    #: the master is killed while its replicas follow
    IN_STEP = "in step"
    #: both replicas have heard nothing of the master for two seconds when it is killed
    BEHIND = "2 s behind"
    #: master and replica are killed together; the server that takes over has heard nothing for twelve seconds
    STALE = "stale server promoted"
    #: the master of a cluster of six nodes is killed while its replica follows
    CLUSTER = "node of a cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The servers of a drill, and the two steps of its failover."""

    #: settings of the services
    settings: Mapping[str, str]
    #: seconds between the steps
    behind_s: float
    #: lets the server that will take over hear nothing more
    cut: Callable[[], None]
    #: kills the master, waits until another server has taken over, and brings the killed ones back
    fail_over: Callable[[], None]


@contextmanager
def open_stage(case: Failover, folder: Path) -> Iterator[Stage]:
    """Start the servers of a case."""
    if case is Failover.CLUSTER:
        broker = RedisProcess(folder / "broker", "save", "", "requirepass", PASSWORD)
        with redis_cluster(folder / "nodes", replicas=True, node_timeout_ms=_DOWN_AFTER_MS) as nodes, broker:
            yield _cluster_stage(nodes, f"redis://:{PASSWORD}@127.0.0.1:{broker.port}/0")
        return
    down_after_ms = _STALE_DOWN_AFTER_MS if case is Failover.STALE else _DOWN_AFTER_MS
    with sentinel_group(folder / "servers", down_after_ms=down_after_ms) as group:
        yield _sentinel_stage(case, group)


def _sentinel_stage(case: Failover, group: SentinelGroup) -> Stage:
    replicas = group.replicas()
    behind = {Failover.IN_STEP: [], Failover.BEHIND: replicas, Failover.STALE: replicas[:1]}[case]

    def cut() -> None:
        if behind:
            group.cut(*behind)

    def fail_over() -> None:
        master = group.master()
        killed = [master, *replicas[1:]] if case is Failover.STALE else [master]
        for server in killed:
            server.kill()
        group.mend()
        until(lambda: group.promoted(master))
        for server in killed:
            group.restart(server)

    behind_s = {Failover.IN_STEP: 0.0, Failover.BEHIND: _BEHIND_S, Failover.STALE: _STALE_S}[case]
    return Stage(settings={"BULKFAX_REDIS_URL": group.url}, behind_s=behind_s, cut=cut, fail_over=fail_over)


def _cluster_stage(nodes: ClusterGroup, broker_url: str) -> Stage:
    def fail_over() -> None:
        master = nodes.owner(_SLOT)
        master.kill()
        until(lambda: nodes.owner(_SLOT) is not master)
        master.start()

    settings = {"BULKFAX_REDIS_URL": nodes.url, "BULKFAX_BROKER_URL": broker_url}
    return Stage(settings=settings, behind_s=0.0, cut=lambda: None, fail_over=fail_over)
