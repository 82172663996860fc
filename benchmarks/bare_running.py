"""Starts the bare server for a benchmark."""

import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cluster import START_S, clean_environment, module
from benchmarks.errors import BenchFailed
from dispatcher.local.ports import free_port
from dispatcher.local.supervisor import Process

_LOOK_S = 0.05


@contextmanager
def bare_server(folder: Path) -> Iterator[str]:
    """Start the bare server and yield its URL.

    Raises:
        BenchFailed: The server did not start.
    """
    port = free_port()
    command = module("benchmarks.bare_server", str(port))
    process = Process("bare", command, env=clean_environment(), cwd=folder, log=folder / "bare.log")
    url = f"http://127.0.0.1:{port}"
    try:
        process.start()
        _wait(url, process)
        yield url
    finally:
        process.stop()


def _wait(url: str, process: Process) -> None:
    end_s = time.monotonic() + START_S
    while process.running and time.monotonic() < end_s:
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=1).close()
        except OSError:
            time.sleep(_LOOK_S)
        else:
            return
    raise BenchFailed(f"the bare server {process.how_it_ended()}: {process.last_words()}")
