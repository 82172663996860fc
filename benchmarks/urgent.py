"""Measures how long a single urgent fax waits while a million-row batch uses the whole rate.

The wait is the time from the 201 of bulkfax to the first byte of the POST at the provider. It is compared with the wait
on an idle system.
"""

import time
from collections.abc import Sequence

from benchmarks.cluster import DOCUMENT_URL, bench_cluster, draft
from benchmarks.figures import Figure, Goal, percentile
from benchmarks.recipients import Row, rows, write_csv
from benchmarks.setting import Setting
from dispatcher.client import Client, NewFax
from dispatcher.local.cluster import LocalCluster

ROWS, RATE = 1_000_000, 100
FAXES, IDLE_FAXES = 300, 60
MEDIAN_S, P99_S = 0.05, 0.2
#: seconds between two urgent faxes; not a multiple of the scheduler's intervals
_EVERY_S = 0.173
#: seconds that the batch runs before the first urgent fax
_LEAD_S = 5.0
_WITHIN_S = 60.0


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    count = setting.size(ROWS, minimum=3000)
    faxes, idle_faxes = setting.size(FAXES, minimum=10), setting.size(IDLE_FAXES, minimum=5)
    path = setting.folder / "urgent.csv"
    setting.say(f"  writing {count:,} rows")
    write_csv(path, count)
    single = list(rows(count + faxes + idle_faxes))[count:]
    options = ("--rate", str(RATE), "--burst", str(RATE // 4), "--speed", "5")
    env = {"BULKFAX_SINCH__RATE_PER_SECOND": str(RATE)}
    with (
        bench_cluster(setting.new_folder("urgent"), emulator_options=options, settings=env) as cluster,
        cluster.client() as client,
    ):
        idle = _waits(cluster, client, single[:idle_faxes])
        client.start(draft(client, "bulk", path).id, allow_repeat=True)
        time.sleep(setting.seconds(_LEAD_S))
        waits = _waits(cluster, client, single[idle_faxes:])
    return _figures(waits, idle)


def _waits(cluster: LocalCluster, client: Client, recipients: Sequence[Row]) -> list[float]:
    """Return the seconds from each 201 to the first byte of the POST. Both are measured on this machine."""
    accepted_at = {}
    for row in recipients:
        if len(row.number) > 9:
            job = client.send_fax(NewFax(to=row.number, content_urls=(DOCUMENT_URL,), allow_repeat=True))
            accepted_at[job.id] = time.time()
        time.sleep(_EVERY_S)
    posted_at: dict[str, float] = {}

    def all_posted() -> bool:
        posted_at.update(
            {fax["labels"]["bulkfax-job"]: fax["requestTime"] / 1000 for fax in cluster.emulator_api.ledger_lines()}
        )
        return accepted_at.keys() <= posted_at.keys()

    cluster.wait(all_posted, _WITHIN_S, "an urgent fax was not sent")
    return [max(0.0, posted_at[job] - accepted_s) for job, accepted_s in accepted_at.items()]


def _figures(waits: Sequence[float], idle: Sequence[float]) -> list[Figure]:
    figures = []
    for name, share, max_s in (("p99", 0.99, P99_S), ("median", 0.5, MEDIAN_S)):
        value, alone = percentile(waits, share), percentile(idle, share)
        figures.append(
            Figure(
                bench="urgent",
                figure=f"accept to the first byte of the POST, {name}",
                value=value,
                unit="s",
                against=f"nothing else to send: {alone:.3f} s",
                ratio=value / max(alone, 0.001),
                goal=Goal(max_value=max_s),
            )
        )
    return figures
