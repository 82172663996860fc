"""Measures what others notice of hostile requests: ``/healthz`` of web, missed slots, and web's memory.

Eight attackers send the inputs of a security test to web while a batch is sent. Beside it, a bare server answers the
same probe, which shows the pauses of the machine. The same batch without attackers shows the slots that are missed
anyway.
"""

import base64
import json
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from benchmarks.attackers import Target
from benchmarks.bare_running import bare_server
from benchmarks.cluster import DOCUMENT_URL, accepted_at_s, bench_cluster, clean_environment, credentials, draft, module
from benchmarks.errors import BenchFailed
from benchmarks.figures import Figure, Goal
from benchmarks.letter import write_letter
from benchmarks.pace import used_share
from benchmarks.processor import resident_mb
from benchmarks.recipients import write_csv
from benchmarks.setting import Setting
from dispatcher.client import Client, NewBatch
from dispatcher.local.cluster import LocalCluster

#: the account's limit in faxes per second
RATE = 20
CONTROL_S, ATTACK_S = 60.0, 100.0
#: rows and columns of the list that is read
LARGE_ROWS, _COLUMNS = 50_000, 20
#: faxes that end before the attacks; their callback URLs are used
_ENDED = 10
_LEAD_S, _WITHIN_S, _LOOK_S = 3.0, 60.0, 0.25
#: seconds between two probes, and until a probe gives up
_PROBE_S, _PROBE_TIMEOUT_S = 0.05, 30.0
#: the goals: an answer's time, a slow one's, the share of the former, missed slots, memory
_QUICK_MS, _SLOW_MS, _QUICK_SHARE, _MISSED, _MEMORY_MB = 250, 1000, 99, 1, 100
#: share of the rate that bulkfax uses
_FULL = 0.99
_DOCUMENT_BYTES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was measured while a batch was sent, with attacks or without."""

    #: times of the answers of web and of the bare server, in milliseconds
    web_ms: Sequence[float]
    bare_ms: Sequence[float]
    #: slots of the rate that neither a send nor a read used, and those that reads used, in percent. A callback that
    #: cannot be trusted is confirmed by a read, which has its share of the rate.
    missed: float
    read: float
    #: maximum resident memory of web
    memory_mb: float


class Probe:
    """Asks for ``/healthz`` again and again in a thread, while the ``with`` block runs."""

    def __init__(self, url: str) -> None:
        self.answers_ms: list[float] = []
        self._netloc = urlsplit(url).netloc
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection = HTTPConnection(self._netloc, timeout=_PROBE_TIMEOUT_S)
        while not self._stop.wait(_PROBE_S):
            began_s = time.perf_counter()
            try:
                connection.request("GET", "/healthz")
                connection.getresponse().read()
            except (OSError, HTTPException):
                connection.close()
                self.answers_ms.append(_PROBE_TIMEOUT_S * 1000)
                continue
            self.answers_ms.append((time.perf_counter() - began_s) * 1000)
        connection.close()


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    control_s, attack_s = setting.seconds(CONTROL_S), setting.seconds(ATTACK_S, 2.0)
    folder = setting.new_folder("attacks")
    with (
        bench_cluster(
            folder,
            emulator_options=("--rate", str(RATE), "--speed", "20"),
            settings={"BULKFAX_SINCH__RATE_PER_SECOND": str(RATE)},
        ) as cluster,
        cluster.client() as client,
        bare_server(folder) as bare,
    ):
        idle_mb = resident_mb(cluster.pid("web"))
        target = _target(setting, cluster, client, attack_s)
        _start_batch(cluster, client, round(RATE * (control_s + attack_s + 4 * _LEAD_S + 10)))
        time.sleep(setting.seconds(_LEAD_S, 0.5))
        control = _window(cluster, bare, control_s)
        setting.say(f"  without attacks: {_text(control)}")
        with _attackers(target) as outcomes:
            attacked = _window(cluster, bare, attack_s)
        setting.say(f"  with attacks: {_text(attacked)}")
    return [*_figures(control, attacked, idle_mb), *(_outcome_figure(*each) for each in outcomes.items())]


def _text(window: Window) -> str:
    return (
        f"/healthz {_quick_share(window.web_ms):.2f} % quick, worst {max(window.web_ms):.0f} ms (bare "
        f"{max(window.bare_ms):.0f} ms), {window.missed:.2f} % of the slots missed, {window.read:.2f} % used by "
        f"reads, web {window.memory_mb:.0f} MB"
    )


def _target(setting: Setting, cluster: LocalCluster, client: Client, seconds: float) -> Target:
    document = write_letter(cluster.folder / "letter.pdf", _DOCUMENT_BYTES)
    return Target(
        url=cluster.url,
        api_key=cluster.api_key,
        seconds=seconds,
        patience_s=seconds / 10,
        scale=min(1.0, setting.scale * 10),
        large_batch=_large_batch(cluster.folder, client, setting.size(LARGE_ROWS, minimum=1000)),
        document=str(document),
        callbacks=_callbacks(cluster, client),
    )


def _large_batch(folder: Path, client: Client, rows: int) -> str:
    path = folder / "large.csv"
    header = ",".join(["fax", *(f"column {index}" for index in range(_COLUMNS))])
    values = ",".join(["a value of a column"] * _COLUMNS)
    lines = (f"+1202555{index % 10_000:04},{values}\n" for index in range(rows))
    path.write_text(f"{header}\n{''.join(lines)}")
    return draft(client, "large", path).id


def _callbacks(cluster: LocalCluster, client: Client) -> tuple[str, ...]:
    """Send faxes, wait until they have ended, and return the paths of their callback URLs."""
    path = cluster.folder / "ended.csv"
    write_csv(path, _ENDED)
    batch = draft(client, "ended", path).id
    client.start(batch, allow_repeat=True)
    cluster.wait(lambda: client.batch(batch).ended, _WITHIN_S, "not all faxes ended")
    authorization = base64.b64encode(":".join(credentials(cluster)).encode()).decode()
    request = urllib.request.Request(cluster.faxes_url, headers={"Authorization": f"Basic {authorization}"})
    with urllib.request.urlopen(request, timeout=_WITHIN_S) as response:
        return tuple(urlsplit(fax["callbackUrl"]).path for fax in json.load(response)["faxes"])


def _start_batch(cluster: LocalCluster, client: Client, faxes: int) -> None:
    path = cluster.folder / "recipients.csv"
    write_csv(path, _ENDED + faxes)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], *lines[_ENDED + 1 :]]))
    before = cluster.emulator_api.stats()["accepted"]
    batch = client.create_batch(NewBatch(name="attacked", content_urls=(DOCUMENT_URL,)))
    client.upload_recipients(batch.id, path)
    client.start(batch.id, allow_repeat=True)
    cluster.wait(lambda: cluster.emulator_api.stats()["accepted"] > before, _WITHIN_S, "no fax was sent")


def _window(cluster: LocalCluster, bare: str, seconds: float) -> Window:
    began_s, memory, requests_before = time.time(), 0.0, _provider_requests(cluster)
    with Probe(cluster.url) as web, Probe(bare) as bare_probe:
        while time.time() < began_s + seconds:
            memory = max(memory, resident_mb(cluster.pid("web")))
            time.sleep(_LOOK_S)
    ended_s, requests = time.time(), _provider_requests(cluster) - requests_before
    sent = used_share(accepted_at_s(cluster), began_s, ended_s - began_s, RATE * _FULL)
    read = max(0.0, requests / (RATE * _FULL * (ended_s - began_s)) - sent)
    return Window(
        web_ms=web.answers_ms,
        bare_ms=bare_probe.answers_ms,
        missed=max(0.0, 1 - sent - read) * 100,
        read=read * 100,
        memory_mb=memory,
    )


def _provider_requests(cluster: LocalCluster) -> int:
    """Return the number of requests that the emulator has answered: sends and reads."""
    return sum(cluster.emulator_api.stats()["requestsByStatus"].values())


@contextmanager
def _attackers(target: Target) -> Iterator[dict[str, dict[str, int]]]:
    """Attack in another process while the block runs. The outcomes are there after the block."""
    outcomes: dict[str, dict[str, int]] = {}
    process = subprocess.Popen(
        module("benchmarks.attackers"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=clean_environment(),
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(asdict(target)).encode())
        process.stdin.close()
        process.stdin = None
        yield outcomes
        output, _ = process.communicate(timeout=_WITHIN_S)
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        raise BenchFailed("the attackers ended with an error")
    outcomes |= json.loads(output)


def _quick_share(answers_ms: Sequence[float]) -> float:
    """Return the share of the answers that were quick, in percent."""
    return 100 * sum(answer <= _QUICK_MS for answer in answers_ms) / len(answers_ms)


def _figures(control: Window, attacked: Window, idle_mb: float) -> list[Figure]:
    quick, bare_quick = _quick_share(attacked.web_ms), _quick_share(attacked.bare_ms)
    worst, bare_worst = max(attacked.web_ms), max(attacked.bare_ms)
    more, calm = attacked.missed - control.missed, max(control.web_ms)
    memory = attacked.memory_mb - idle_mb
    return [
        _figure(
            f"/healthz within {_QUICK_MS} ms",
            quick,
            "%",
            f"bare loop: {bare_quick:.2f} %",
            quick / bare_quick,
            Goal(min_value=_QUICK_SHARE),
        ),
        _figure(
            "/healthz, slowest answer",
            worst,
            "ms",
            f"bare loop: {bare_worst:.0f} ms; without attacks: {calm:.0f} ms",
            worst / bare_worst,
            Goal(max_value=_SLOW_MS),
        ),
        _figure(
            "slots missed, beyond those without attacks",
            more,
            "%",
            f"with attacks: {attacked.missed:.2f} %, and {attacked.read:.2f} % read; without: {control.missed:.2f} %",
            1 + more / 100,
            Goal(max_value=_MISSED),
        ),
        _figure(
            "memory of web above idle",
            memory,
            "MB",
            f"idle: {idle_mb:.0f} MB; without attacks: {control.memory_mb:.0f} MB",
            attacked.memory_mb / idle_mb,
            Goal(max_value=_MEMORY_MB),
        ),
    ]


def _figure(name: str, value: float, unit: str, against: str, ratio: float, goal: Goal | None) -> Figure:
    return Figure(bench="attacks", figure=name, value=value, unit=unit, against=against, ratio=ratio, goal=goal)


def _outcome_figure(name: str, outcomes: Mapping[str, int]) -> Figure:
    text = ", ".join(f"{outcome} {count} times" for outcome, count in sorted(outcomes.items()))
    return _figure(f"attack: {name}", sum(outcomes.values()), "times", text, 1.0, None)
