"""Checks that a server is of the kind that its address says: a cluster and a Sentinel answer only in part otherwise."""

from collections.abc import Mapping

import redis

from dispatcher.store.address import RedisKind
from dispatcher.store.client import READS, connect
from dispatcher.store.errors import WrongServer


def check_kind(kind: RedisKind, info: Mapping[str, object]) -> None:
    """Raise WrongServer if a server is of another kind than its address says. ``info`` is its answer to ``INFO``."""
    if "sentinel" in (info.get("redis_mode"), info.get("server_mode")):  # the latter is Valkey's
        raise WrongServer(
            "this is a Sentinel and holds no data: write its address as redis+sentinel://HOST:26379/NAME/0, "
            "with the name of the master that it watches"
        )
    if kind is not RedisKind.CLUSTER and in_cluster(info):
        raise WrongServer("this server is a node of a Redis Cluster: write its address as redis+cluster://HOST:6379")
    if kind is RedisKind.CLUSTER and info and not in_cluster(info):
        raise WrongServer("this server belongs to no Redis Cluster: write its address as redis://HOST:6379/0")


def in_cluster(info: Mapping[str, object]) -> bool:
    return str(info.get("cluster_enabled", 0)) == "1"


async def leads_to_cluster(url: str) -> bool:
    """Return whether an address leads to a node of a cluster; False if nobody answers, or the user may not ask."""
    client = connect(url, READS)
    try:
        return in_cluster(await client.info())
    except (redis.RedisError, OSError):
        return False
    finally:
        await client.aclose()
