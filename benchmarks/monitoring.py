"""A real Prometheus and Alertmanager with bulkfax's rules, and a receiver that records pages."""

import json
import re
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import yaml

from benchmarks.cluster import clean_environment, read_json
from benchmarks.errors import BenchFailed
from dispatcher.local.ports import free_port
from dispatcher.local.signals import uninterrupted
from dispatcher.local.supervisor import Process

RULES = Path(__file__).resolve().parent.parent / "grafana" / "rules" / "bulkfax.yaml"
#: seconds between scrapes and evaluations, and Alertmanager's group wait, before they are divided
_SCRAPE_S, _GROUP_S = 15.0, 30.0
_START_S = 30.0
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+)(ms|[smhd])")
_RANGE = re.compile(r"\[([\dsmhd]+)\]")
#: matches a comparison of seconds with a number
_SECONDS = re.compile(r"(_seconds[\w:]*(?:\{[^}]*\})?(?:\[[^\]]*\])?\)*\s*[<>]=?\s*)(\d+)")


class MissingProgram(Exception):
    """A program of Prometheus is not installed."""


def program(name: str) -> str:
    """Return the path of ``prometheus``, ``promtool`` or ``alertmanager``.

    Raises:
        MissingProgram: The program is not installed.
    """
    path = shutil.which(name) or shutil.which(f"prometheus-{name}")
    if path is None:
        raise MissingProgram(f"{name} is missing; Debian: apt-get install prometheus prometheus-alertmanager")
    return path


def divide_rules(rules: Mapping[str, Any], divisor: int) -> dict[str, Any]:
    """Return rules with all times divided: windows, ``for`` durations, and thresholds in seconds."""
    return {
        "groups": [
            group | {"rules": [_divide_rule(rule, divisor) for rule in group["rules"]]} for group in rules["groups"]
        ]
    }


def _divide_rule(rule: Mapping[str, Any], divisor: int) -> dict[str, Any]:
    expression = _RANGE.sub(lambda match: f"[{divide_duration(match[1], divisor)}]", rule["expr"])
    expression = _SECONDS.sub(lambda match: f"{match[1]}{int(match[2]) / divisor:g}", expression)
    waits = {"for": divide_duration(rule["for"], divisor)} if "for" in rule else {}
    return {**rule, "expr": expression, **waits}


def divide_duration(duration: str, divisor: float) -> str:
    """Divide a Prometheus duration, and return it in whole milliseconds."""
    seconds = sum(int(number) * _UNITS_S[unit] for number, unit in _DURATION.findall(duration))
    return f"{round(seconds * 1000 / divisor)}ms"


@dataclass(frozen=True, slots=True)
class Page:
    """An alert that reached the receiver."""

    name: str
    severity: str
    firing: bool
    #: seconds since 1970
    received_s: float


class Monitoring:
    """Prometheus, Alertmanager and a receiver of alerts, as a context manager."""

    def __init__(self, folder: Path, target: str, *, processes: Sequence[str] = (), divisor: int = 1) -> None:
        """Create the processes without starting them.

        Args:
            folder: Folder of configuration, data and logs.
            target: URL of the web process, which is scraped for the totals of the installation and its own metrics.
            processes: Host and port of further processes, which are scraped for their own metrics.
            divisor: Divides all times of rules, scraping and grouping.
        """
        self._folder = folder
        self._target = target.removeprefix("http://")
        self._others = processes
        self._divisor = divisor
        self.pages: list[Page] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _receiver(self.pages))
        self._url = f"http://127.0.0.1:{free_port()}"
        self._processes: list[Process] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        with uninterrupted():
            try:
                self._start()
            except BaseException:
                self._stop()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Evaluate an expression now, and return the samples of the resulting vector."""
        response = read_json(f"{self._url}/api/v1/query?{urlencode({'query': expression})}")
        samples: list[dict[str, Any]] = response["data"]["result"]
        return samples

    def query_range(self, expression: str, start_s: float, end_s: float, step_s: float) -> list[dict[str, Any]]:
        """Evaluate an expression at many times, in seconds since 1970, and return the resulting series."""
        query = {"query": expression, "start": start_s, "end": end_s, "step": step_s}
        response = read_json(f"{self._url}/api/v1/query_range?{urlencode(query)}")
        series: list[dict[str, Any]] = response["data"]["result"]
        return series

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now, whether or not Alertmanager has sent them."""
        return {sample["metric"]["alertname"] for sample in self.query('ALERTS{alertstate="firing"}')}

    def _start(self) -> None:
        alertmanager_port = free_port()
        self._write("alertmanager.yml", self._alertmanager_config())
        self._write("rules.yml", divide_rules(yaml.safe_load(RULES.read_text(encoding="utf-8")), self._divisor))
        self._write("prometheus.yml", self._prometheus_config(alertmanager_port))
        self._processes = [
            self._process(
                "alertmanager",
                "--config.file=alertmanager.yml",
                "--storage.path=alertmanager",
                f"--web.listen-address=127.0.0.1:{alertmanager_port}",
                "--cluster.listen-address=",
            ),
            self._process(
                "prometheus",
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=prometheus",
                f"--web.listen-address={self._url.removeprefix('http://')}",
            ),
        ]
        for process in self._processes:
            process.start()
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        end_s = time.monotonic() + _START_S
        while True:
            try:
                if self.query("up == 1"):
                    return
            except OSError:
                pass
            if time.monotonic() > end_s:
                raise BenchFailed(f"Prometheus could not scrape the target: {self._processes[-1].last_words()}")
            time.sleep(0.1)

    def _stop(self) -> None:
        for process in reversed(self._processes):
            process.stop()
        self._server.shutdown()
        self._server.server_close()

    def _process(self, name: str, *options: str) -> Process:
        log = self._folder / f"{name}.log"
        return Process(name, [program(name), *options], env=clean_environment(), cwd=self._folder, log=log)

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        (self._folder / name).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    def _alertmanager_config(self) -> dict[str, Any]:
        port = self._server.server_address[1]
        wait = divide_duration(f"{_GROUP_S:.0f}s", self._divisor)
        route = {"receiver": "bench", "group_by": ["..."], "group_wait": wait, "group_interval": wait}
        hook = {"url": f"http://127.0.0.1:{port}/", "send_resolved": True}
        return {
            "route": route | {"repeat_interval": "24h"},
            "receivers": [{"name": "bench", "webhook_configs": [hook]}],
        }

    def _prometheus_config(self, alertmanager_port: int) -> dict[str, Any]:
        interval = divide_duration(f"{_SCRAPE_S:.0f}s", self._divisor)
        manager = {"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}
        targets = [{"targets": [self._target]}]
        every = [{"targets": [self._target, *self._others]}]
        return {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [manager]},
            "scrape_configs": [
                {"job_name": "bulkfax", "metrics_path": "/metrics/installation", "static_configs": targets},
                {"job_name": "bulkfax-processes", "static_configs": every},
            ],
        }


def _receiver(pages: list[Page]) -> type[BaseHTTPRequestHandler]:
    """Return a request handler that appends every alert it receives to ``pages``."""

    class AlertReceiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for alert in body["alerts"]:
                labels = alert["labels"]
                firing = alert["status"] == "firing"
                pages.append(Page(labels["alertname"], labels["severity"], firing, time.time()))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Do not log requests."""

    return AlertReceiver
