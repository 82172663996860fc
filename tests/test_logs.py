"""Tests of the log: every line of every process is one JSON object, and repeats are left out."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from dispatcher.local.ports import free_port
from dispatcher.local.services import service_processes
from dispatcher.logs import RepeatLimit, without_numbers
from tests.local.watching import until

KEY = "k-7d4a1be02c9f4f6f8a0e"
FIELDS = {"event", "level", "timestamp", "process", "pid", "host", "version"}


def written(repeats: RepeatLimit, **event: object) -> dict[str, Any] | None:
    """Return a warning as it is written; None if it is left out."""
    try:
        return dict(repeats(None, "warning", {"event": "failed", **event}))
    except structlog.DropEvent:
        return None


def test_repeats_are_left_out_and_counted() -> None:
    times = [0.0]
    repeats = RepeatLimit(lambda: times[-1])
    lines = [written(repeats, error=f"reason {number}", request_id=str(number)) for number in range(25)]
    assert [line is not None for line in lines] == [True] * 10 + [False] * 15
    times.append(60.0)
    line = written(repeats, error="again")
    assert line is not None
    assert line["left_out"] == 15
    line = written(repeats, error="again")
    assert line is not None
    assert "left_out" not in line


def test_lines_about_different_things_are_no_repeats() -> None:
    repeats = RepeatLimit()
    assert all(written(repeats, job=f"b.{number}") for number in range(2_000))
    assert len(repeats._seen) == RepeatLimit.MAX_KINDS


def test_what_is_only_told_is_never_left_out() -> None:
    repeats = RepeatLimit()
    assert all(repeats(None, "info", {"event": "attempt ended"}) for _ in range(100))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("to +12025550101 failed", "to +... failed"),
        ("GET /v1/suppressions/%2B4930231250", "GET /v1/suppressions/%2B..."),
        ("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00"),
    ],
)
def test_a_number_that_a_library_repeats_is_masked(line: str, expected: str) -> None:
    assert without_numbers(line) == expected


def json_settings(redis_url: str, port: int, **more: str) -> dict[str, str]:
    """Return the environment of services that log in JSON."""
    return {
        **os.environ,
        "BULKFAX_REDIS_URL": redis_url,
        "BULKFAX_ALLOW_UNSAFE_REDIS": "true",
        "BULKFAX_PORT": str(port),
        "BULKFAX_LOG_FORMAT": "json",
        "BULKFAX_API_KEYS": KEY,
        "BULKFAX_METRICS_PORT": str(free_port()),
        **more,
    }


def lines_of(log: Path) -> list[dict[str, Any]]:
    """Parse every line of a log."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        assert set(line) >= FIELDS, line
        assert line["host"] == socket.gethostname()
    assert not re.search(r"\+\d{7,15}", log.read_text())
    return lines


def events(log: Path) -> list[str]:
    return [line["event"] for line in lines_of(log)] if log.exists() else []


@pytest.fixture
def processes(tmp_path: Path, redis_url: str) -> Iterator[dict[str, int]]:
    """Start web, a scheduler and a worker service. Yields their process IDs, and the port of web."""
    port, started = free_port(), []
    for name in ("web", "scheduler", "worker"):
        [process] = service_processes(json_settings(redis_url, port), names=[name], logs=tmp_path)
        process.start()
        started.append((name, process))
    try:
        yield {name: process.pid for name, process in started} | {"port": port}
    finally:
        for _, process in started:
            process.stop()


def test_every_line_of_every_process_is_a_json_object(processes: dict[str, int], tmp_path: Path) -> None:
    logs = {name: tmp_path / f"{name}.log" for name in ("web", "scheduler", "worker")}
    url, key = f"http://127.0.0.1:{processes['port']}", {"Authorization": f"Bearer {KEY}"}
    until(lambda: all("started" in events(log) for log in logs.values()))
    until(lambda: _answers(url))
    assert httpx.get(f"{url}/v1/batches", headers={"Authorization": "Bearer guess"}).status_code == 401
    assert httpx.post(f"{url}/callbacks/sinch/b.0/1/{'0' * 64}", content=b"{}").status_code in (403, 404)
    body = {"name": "June", "content_urls": ["https://documents.example.com/a.pdf"]}
    created = httpx.post(f"{url}/v1/batches", json=body, headers=key | {"X-Request-Id": "r-1"})
    assert created.status_code == 201
    until(lambda: "worker-0" in {line["process"] for line in lines_of(logs["worker"])})
    killed = next(line["pid"] for line in lines_of(logs["worker"]) if line["process"] == "worker-0")
    os.kill(killed, signal.SIGKILL)
    until(lambda: "a worker process ended and is started again" in events(logs["worker"]))
    web = lines_of(logs["web"])
    assert "an API key is missing or wrong" in [line["event"] for line in web]
    assert any("signature" in line["event"] for line in web)
    [answered] = [line for line in web if line["event"] == "answered" and line["level"] == "info"]
    assert answered.items() >= {"request_id": "r-1", "route": "/v1/batches", "method": "POST", "status": 201}.items()
    assert len(answered["key"]) == 6
    assert "guess" not in logs["web"].read_text()
    assert KEY not in logs["web"].read_text()
    assert {line["process"] for line in lines_of(logs["worker"])} == {"worker-supervisor", "worker-0"}


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("service", "fault"),
    [
        ("web", {"BULKFAX_PORT": "many"}),
        ("scheduler", {"BULKFAX_POLICY_FILE": "missing.toml"}),
        ("worker", {"BULKFAX_POLICY_FILE": "missing.toml"}),
    ],
)
def test_a_service_that_cannot_start_says_so_in_json(service: str, fault: dict[str, str], tmp_path: Path) -> None:
    env = json_settings(f"redis://127.0.0.1:{free_port()}", free_port(), **fault)
    command = [sys.executable, "-m", "dispatcher.cli", service]
    ran = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30)
    (tmp_path / "log").write_text(ran.stderr)
    assert ran.returncode != 0
    last = lines_of(tmp_path / "log")[-1]
    assert last["level"] == "critical"
    assert next(iter(fault)) in last["error"]


SCRIPT = """
import logging, sys, threading, warnings
from dispatcher.logs import configure_logs
from dispatcher.settings import Settings
configure_logs(Settings.model_validate({"log_format": "json"}), "web")
logging.getLogger("uvicorn.error").error("to %s", "+12025550101")
logging.getLogger("dramatiq").warning("%d", "no number")
warnings.warn("old")
def fail(): raise ValueError("two\\nlines")
try: fail()
except ValueError: logging.getLogger("asyncio").exception("never retrieved")
thread = threading.Thread(target=fail, name="t"); thread.start(); thread.join()
for _ in range(30): logging.getLogger("dramatiq").warning("again %s", _)
fail()
"""


def test_what_libraries_log_and_what_ends_threads_and_processes_is_json(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    (tmp_path / "log").write_text(ran.stderr)
    lines = lines_of(tmp_path / "log")
    assert [line["event"] for line in lines if "again" not in line["event"]] == [
        "started",
        "to +...",
        "a line of a library could not be written",
        *[line["event"] for line in lines if line.get("logger") == "py.warnings"],
        "never retrieved",
        "an error ends a thread",
        "an error ends the process",
    ]
    assert len([line for line in lines if "again" in line["event"]]) == 10
    traces = [line["exception"] for line in lines if "exception" in line]
    assert len(traces) == 3
    assert all(trace.endswith("ValueError: two\nlines") for trace in traces)
