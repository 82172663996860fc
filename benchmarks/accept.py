"""Measures the upload of a million rows: parsed, every number validated, on disk. Compared with dramatiq messages."""

from pathlib import Path

from benchmarks.cluster import DOCUMENT_URL, bench_cluster, cluster_cpu_s, fill_suppressions
from benchmarks.errors import BenchFailed
from benchmarks.figures import Figure, Goal, medians
from benchmarks.peers.running import enqueued_per_second
from benchmarks.processor import resident_mb
from benchmarks.recipients import CHECKSUMS, Write, bad_rows, write_csv, write_ndjson
from benchmarks.setting import Setting
from benchmarks.stopwatch import Stopwatch
from dispatcher.client import Client, NewBatch
from dispatcher.local.cluster import LocalCluster

ROWS, PEER_ROWS = 1_000_000, 20_000
_FORMS: dict[str, Write] = {"ndjson": write_ndjson, "csv": write_csv}
_PEER = "dramatiq, one message a row"


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    lists = _write_lists(setting)
    runs = []
    for run in range(setting.runs):
        rates = _run(setting, lists)
        runs.append(rates)
        setting.say(f"  run {run + 1}: {rates['ndjson']:,.0f} rows/s NDJSON, {rates['csv']:,.0f} rows/s CSV")
    middle = medians(runs)
    return [figure for form in _FORMS for figure in _figures(form, middle)]


def _figures(form: str, middle: dict[str, float]) -> list[Figure]:
    rate, against = middle[form], f"{_PEER}: {middle['peer']:,.0f} rows/s"
    ratio = rate / middle["peer"]
    memory, start = middle[f"{form} peak"], middle[f"{form} start"]
    name = form.upper()

    def figure(what: str, value: float, unit: str, beside: str, to: float, goal: Goal | None) -> Figure:
        return Figure(
            bench="accept", figure=f"{name}: {what}", value=value, unit=unit, against=beside, ratio=to, goal=goal
        )

    return [
        figure("rows on disk", rate, "rows/s", against, ratio, Goal(min_value=50_000)),
        figure("rows on disk, beside the peer", rate, "rows/s", against, ratio, Goal(min_value=30, of="ratio")),
        figure("rows per second of web's processor", middle[f"{form} cpu"], "rows/s", against, ratio, None),
        figure(
            "memory of web at most",
            memory,
            "MB",
            f"after a tenth of the rows: {start:.0f} MB",
            memory / start,
            Goal(max_value=1.1, of="ratio"),
        ),
    ]


def _write_lists(setting: Setting) -> dict[str, Path]:
    count = setting.size(ROWS, minimum=2000)
    setting.say(f"  writing two lists of {count:,} rows")
    paths = {}
    for form, write in _FORMS.items():
        paths[form] = setting.folder / f"accept.{form}"
        checksum = write(paths[form], count)
        if checksum != CHECKSUMS.get((form, count), checksum):
            raise BenchFailed(f"the {form} list of {count:,} rows does not have the pinned checksum")
    return paths


def _run(setting: Setting, lists: dict[str, Path]) -> dict[str, float]:
    count = setting.size(ROWS, minimum=2000)
    with bench_cluster(setting.new_folder("accept"), services=("web",)) as cluster, cluster.client() as client:
        fill_suppressions(client, setting)
        rates: dict[str, float] = {}
        for form, path in lists.items():
            rates |= _upload(cluster, client, form, path, count)
    peer = enqueued_per_second("dramatiq", setting.size(PEER_ROWS, minimum=1000), setting.new_folder("accept-peer"))
    return rates | {"peer": peer}


def _upload(cluster: LocalCluster, client: Client, form: str, path: Path, count: int) -> dict[str, float]:
    batch = client.create_batch(NewBatch(name=form, content_urls=(DOCUMENT_URL,)))
    memory: list[float] = []

    def sample_memory(sent: int, total: int) -> None:
        if sent * 20 >= total * (2 + len(memory)):
            memory.append(resident_mb(cluster.pid("web")))

    before_s = cluster_cpu_s(cluster, "web")
    clock = Stopwatch()
    upload = client.upload_recipients(batch.id, path, progress=sample_memory)
    seconds = clock.seconds
    if (upload.accepted, upload.refused) != (count - bad_rows(count), bad_rows(count)):
        raise BenchFailed(f"of {count:,} rows {upload.accepted:,} were accepted and {upload.refused:,} refused")
    return {
        form: count / seconds,
        f"{form} cpu": count / (cluster_cpu_s(cluster, "web") - before_s),
        f"{form} start": memory[0],
        f"{form} peak": max(memory),
    }
