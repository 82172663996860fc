"""Measures faxes per second at 500 ms latency, with 256 in flight and no rate limit: the cost of queue and records.

Compares bulkfax with a bare loop around the same HTTP client, with a dramatiq actor per fax and with a Celery task per
fax. Rates are computed from the times at which the emulator accepted faxes, so start-up time does not count.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cluster import (
    KEY_VARIABLE,
    accepted_at_s,
    bench_cluster,
    clean_environment,
    cluster_cpu_s,
    credentials,
    draft,
    module,
)
from benchmarks.errors import BenchFailed
from benchmarks.figures import Figure, Goal, medians
from benchmarks.letter import write_letter
from benchmarks.peers.running import LIBRARIES, enqueue, peer_env, running_workers
from benchmarks.recipients import bad_rows, write_csv
from benchmarks.setting import Setting
from dispatcher.local.redis_server import EmbeddedServer

IN_FLIGHT = 256
#: faxes per run for each kind of content, and faxes per run of a peer
FAXES = {"contentUrl": 8000, "100 KB base64": 4000}
PEER_FAXES = 2000
#: size of a document that takes 100 KB as base64
_DOCUMENT_BYTES = 74_000
#: calls last for hours, so that only sending is measured
_EMULATOR = ("--latency", "0.5", "--speed", "0.001")
_POLICY = '[times]\npoll_first = "2h"\npoll = ["2h"]\n'
_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The workload of a run, the same for bulkfax and its peers. Without a letter the document is sent by URL."""

    faxes: int
    peer_faxes: int
    in_flight: int
    letter: Path | None


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    letter = write_letter(setting.folder / "letter.pdf", _DOCUMENT_BYTES)
    in_flight = setting.size(IN_FLIGHT, minimum=32)
    figures = []
    for kind, faxes in FAXES.items():
        load = Load(
            faxes=setting.size(faxes, minimum=in_flight * 3),
            peer_faxes=setting.size(PEER_FAXES, minimum=in_flight * 3),
            in_flight=in_flight,
            letter=letter if "base64" in kind else None,
        )
        figures += _figures(kind, medians([_run(setting, kind, load) for _ in range(setting.runs)]))
    return figures


def _run(setting: Setting, kind: str, load: Load) -> dict[str, float]:
    run = _bare(setting, load) | ours(setting, load)
    run |= {library: _peer(setting, library, load) for library in LIBRARIES}
    run["ratio"] = run["ours"] / run["bare"]
    run["more cpu"] = run["ours cpu"] - run["bare cpu"]
    setting.say(f"  {kind}: " + ", ".join(f"{name} {value:.4g}" for name, value in run.items()))
    return run


def _figures(kind: str, middle: dict[str, float]) -> list[Figure]:
    def figure(name: str, value: float, unit: str, against: str, ratio: float, goal: Goal | None) -> Figure:
        return Figure(
            bench="dispatch", figure=f"{kind}: {name}", value=value, unit=unit, against=against, ratio=ratio, goal=goal
        )

    ours, bare = middle["ours"], f"bare loop, same client: {middle['bare']:.0f} faxes/s"
    more, bare_cpu = middle["more cpu"], f"bare loop: {middle['bare cpu']:.2f} ms/fax"
    figures = [
        figure("sent", ours, "faxes/s", bare, middle["ratio"], Goal(min_value=0.85, of="ratio")),
        figure(
            "processor beyond the bare loop's", more, "ms/fax", bare_cpu, more / middle["bare cpu"], Goal(max_value=0.4)
        ),
    ]
    for library in LIBRARIES:
        against = f"{library}, one a fax: {middle[library]:.0f} faxes/s"
        figures.append(figure(f"sent, beside {library}", ours, "faxes/s", against, ours / middle[library], None))
    return figures


def rate(accepted_s: list[float], in_flight: int) -> float:
    """Return the faxes per second at full load, without the first ``in_flight`` faxes, which start all at once."""
    times = sorted(accepted_s)
    return (len(times) - in_flight) / (times[-1] - times[0])


def _bare(setting: Setting, load: Load) -> dict[str, float]:
    with bench_cluster(setting.new_folder("bare"), services=(), emulator_options=_EMULATOR) as cluster:
        key, secret = credentials(cluster)
        options = {
            "--url": cluster.emulator_url,
            "--project": cluster.account["project"],
            "--key": key,
        }
        words = [word for option in options.items() for word in option]
        more = ["--document", str(load.letter)] if load.letter else []
        command = module(
            "benchmarks.bare", *words, "--faxes", str(load.faxes), "--in-flight", str(load.in_flight), *more
        )
        done = subprocess.run(
            command,
            env=clean_environment() | {KEY_VARIABLE: secret},
            capture_output=True,
            text=True,
            timeout=_WITHIN_S,
            check=False,
        )
        if done.returncode:
            raise BenchFailed(f"the bare loop failed: {done.stderr.strip().splitlines()[-1:]}")
        return {
            "bare": rate(accepted_at_s(cluster), load.in_flight),
            "bare cpu": json.loads(done.stdout)["cpu_s"] / load.faxes * 1000,
        }


def ours(setting: Setting, load: Load) -> dict[str, float]:
    """Send the faxes of a load. Return the faxes per second, and the processor's milliseconds for each."""
    folder = setting.new_folder("dispatch")
    (folder / "policy.toml").write_text(_POLICY)
    env = {
        "BULKFAX_SINCH__RATE_PER_SECOND": "10000",
        "BULKFAX_SINCH__CONNECTIONS": str(load.in_flight),
        # CONNECTIONS limits the requests in flight; this limit also counts faxes before and after their request
        "BULKFAX_SINCH__MAX_IN_FLIGHT": str(load.in_flight * 2),
        "BULKFAX_POLICY_FILE": str(folder / "policy.toml"),
        "BULKFAX_PUBLIC_URL": "",
    }
    path = folder / "recipients.csv"
    rows = load.faxes + bad_rows(load.faxes) + 1
    write_csv(path, rows)
    with bench_cluster(folder, emulator_options=_EMULATOR, settings=env) as cluster, cluster.client() as client:
        documents = (client.upload_document(load.letter).id,) if load.letter else ()
        batch = draft(client, "dispatch", path, documents=documents)
        before_s = cluster_cpu_s(cluster, "worker", "scheduler", "redis")
        client.start(batch.id, allow_repeat=True)
        cluster.wait(
            lambda: cluster.emulator_api.stats()["accepted"] >= batch.rows, _WITHIN_S, "not all faxes were sent"
        )
        cluster.wait(lambda: client.batch(batch.id).counts["accepted"] >= batch.rows, _WITHIN_S, "not all are settled")
        used_s = cluster_cpu_s(cluster, "worker", "scheduler", "redis") - before_s
        return {"ours": rate(accepted_at_s(cluster), load.in_flight), "ours cpu": used_s / batch.rows * 1000}


def _peer(setting: Setting, library: str, load: Load) -> float:
    folder = setting.new_folder(library)
    with (
        bench_cluster(folder, services=(), emulator_options=_EMULATOR) as cluster,
        EmbeddedServer(folder / "queue") as server,
    ):
        env = peer_env(server.url, cluster.faxes_url, credentials(cluster), str(load.letter or ""))
        enqueue(library, load.peer_faxes, env)
        with running_workers(library, load.in_flight, env, folder):
            cluster.wait(
                lambda: cluster.emulator_api.stats()["accepted"] >= load.peer_faxes - bad_rows(load.peer_faxes),
                _WITHIN_S,
                f"{library} is slow",
            )
            return rate(accepted_at_s(cluster), load.in_flight)
