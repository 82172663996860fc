"""Real processes send a batch on each kind of Redis: with TLS and narrow rights, and on a cluster."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from dispatcher.local.cluster import LocalCluster, emulator_options
from dispatcher.local.doctor import examine_store
from tests.redis_servers import (
    DURABLE,
    PASSWORD,
    Certificates,
    RedisProcess,
    redis_cluster,
)
from tests.story.conftest import StoryCluster

pytestmark = pytest.mark.story

NUMBERS = [f"+1312555{n:04}" for n in range(100, 140)]


@contextmanager
def services(folder: Path, repository: Path, **settings: str) -> Iterator[StoryCluster]:
    """All services on the Redis of these settings."""
    scenario = folder / "scenario.toml"
    scenario.write_text("")
    all_settings = {
        "BULKFAX_SINCH__RATE_PER_SECOND": "50",
        "BULKFAX_POLICY_FILE": str(repository / "examples" / "fast-policy.toml"),
        **{f"BULKFAX_{name}": value for name, value in settings.items()},
    }
    options = emulator_options(scenario, rate=50, speed=50)
    local = LocalCluster(folder, emulator_options=options, settings=all_settings, restarts=False)
    with local, local.client() as client:
        yield StoryCluster(local, client, folder, repository / "examples" / "letter.pdf")


def send(cluster: StoryCluster) -> None:
    batch = cluster.wait(cluster.start_batch(NUMBERS).id)
    assert batch.counts["delivered"] == len(NUMBERS)
    assert cluster.compare(batch.id).clean
    assert examine_store(cluster.local) == (True, ())


def documented_rights(repository: Path, user: str) -> list[str]:
    """The words behind the name of a user, as docs/redis.md has them."""
    text = (repository / "docs" / "redis.md").read_text()
    (line,) = re.findall(rf"^    ACL SETUSER {user} (.*)$", text, re.MULTILINE)
    return [word.replace("PASSWORD", PASSWORD) for word in line.split()]


def test_a_batch_with_tls_client_certificates_and_exactly_the_documented_rights(
    tmp_path: Path, repository: Path
) -> None:
    certificates = Certificates(tmp_path / "certificates")
    server = RedisProcess(tmp_path / "server", *DURABLE, "acllog-max-len", "10000", certificates=certificates)
    with server, server.client(decode_responses=True) as admin:
        if not server.answers():
            pytest.skip("the server program has no TLS")
        admin.ping()
        for user in ("bulkfax", "broker"):
            admin.execute_command("ACL", "SETUSER", user, *documented_rights(repository, user))
        admin.acl_setuser("default", enabled=False)  # this connection stays as it is
        place, files = f"127.0.0.1:{server.port}", urlencode(certificates.client_options)
        urls = {
            "REDIS_URL": f"rediss://bulkfax:{PASSWORD}@{place}/0?{files}",
            "BROKER_URL": f"rediss://broker:{PASSWORD}@{place}/1?{files}",
        }
        with services(tmp_path, repository, **urls) as cluster:
            send(cluster)
        refused = {entry["object"] for entry in admin.acl_log()}
    assert refused <= {"client|setinfo"}, "redis-py tells its version where it may"


def test_a_batch_on_a_cluster_of_three_masters(tmp_path: Path, repository: Path) -> None:
    broker = RedisProcess(tmp_path / "broker", "save", "", "requirepass", PASSWORD)
    with redis_cluster(tmp_path / "nodes") as nodes, broker:
        urls = {"REDIS_URL": nodes.url, "BROKER_URL": f"redis://:{PASSWORD}@127.0.0.1:{broker.port}/0"}
        with services(tmp_path, repository, **urls) as cluster:
            send(cluster)
