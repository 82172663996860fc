"""Starts the peers and measures them, on a separate Redis server with the configuration of bulkfax's."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import redis

from benchmarks.cluster import clean_environment, module
from benchmarks.errors import BenchFailed
from dispatcher.local.redis_server import EmbeddedServer
from dispatcher.local.supervisor import Process

LIBRARIES = ("dramatiq", "celery")
#: worker processes, among which the calls in flight are divided
_PROCESSES = 2
_TIMEOUT_S = 600.0


def peer_env(
    redis_url: str, faxes_url: str = "", key: tuple[str, str] = ("", ""), document: str = ""
) -> dict[str, str]:
    """Return the environment that configures ``benchmarks.peers.sending`` and the two apps."""
    return clean_environment() | {
        "PEER_REDIS_URL": redis_url,
        "PEER_FAXES_URL": faxes_url,
        "PEER_KEY": key[0],
        "PEER_SECRET": key[1],
        "PEER_DOCUMENT": document,
    }


def enqueue(library: str, rows: int, env: Mapping[str, str]) -> float:
    """Enqueue a message for each row, and return the seconds that this took.

    Raises:
        BenchFailed: The library could not enqueue the messages.
    """
    command = module("benchmarks.peers.enqueue", library, str(rows))
    done = subprocess.run(command, env=dict(env), capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode:
        raise BenchFailed(f"{library} could not enqueue the messages: {done.stderr.strip().splitlines()[-1:]}")
    seconds: float = json.loads(done.stdout)["seconds"]
    return seconds


def enqueued_per_second(library: str, rows: int, folder: Path) -> float:
    """Return the rows per second that the library enqueues into an empty queue."""
    with EmbeddedServer(folder / "redis") as server:
        return rows / enqueue(library, rows, peer_env(server.url))


def bytes_per_message(library: str, rows: int, folder: Path) -> float:
    """Memory of the server for each message that waits."""
    with EmbeddedServer(folder / "redis") as server, redis.Redis.from_url(server.url) as client:
        before = client.info("memory")["used_memory"]
        enqueue(library, rows, peer_env(server.url))
        after = client.info("memory")["used_memory"]
    return float(after - before) / rows


def worker_command(library: str, in_flight: int) -> list[list[str]]:
    """Return the commands of the peer's workers, which have ``in_flight`` threads in total."""
    threads = str(max(1, in_flight // _PROCESSES))
    if library == "dramatiq":
        app = "benchmarks.peers.dramatiq_fax"
        return [module("dramatiq", app, "--processes", str(_PROCESSES), "--threads", threads, "--skip-logging")]
    worker = ["-A", "benchmarks.peers.celery_fax", "worker", "--pool", "threads", "--concurrency", threads]
    quiet = ["--loglevel", "error", "--without-gossip", "--without-mingle"]
    return [module("celery", *worker, *quiet, "-n", f"peer{number}") for number in range(_PROCESSES)]


@contextmanager
def running_workers(library: str, in_flight: int, env: Mapping[str, str], folder: Path) -> Iterator[list[Process]]:
    """Start the peer's workers, and stop them at the end."""
    processes = [
        Process(f"{library}-{number}", command, env=env, cwd=folder, log=folder / f"{library}-{number}.log")
        for number, command in enumerate(worker_command(library, in_flight))
    ]
    try:
        for process in processes:
            process.start()
        yield processes
    finally:
        for process in processes:
            process.ask_to_stop()
        for process in processes:
            process.stop()
