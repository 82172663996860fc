"""Measures the upload of rows as customers write them. Compared with a bare loop over ``phonenumbers``."""

import time

import phonenumbers

from benchmarks.cluster import bench_cluster, draft, fill_suppressions
from benchmarks.errors import BenchFailed
from benchmarks.figures import Figure, Goal, medians
from benchmarks.recipients import bad_rows, raw_rows, write_raw
from benchmarks.setting import Setting
from benchmarks.stopwatch import Stopwatch

ROWS = 200_000


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    count = setting.size(ROWS, minimum=2000)
    path = setting.folder / "raw.csv"
    setting.say(f"  writing {count:,} rows")
    write_raw(path, count)
    runs = []
    for _ in range(setting.runs):
        with bench_cluster(setting.new_folder("accept_raw"), services=("web",)) as cluster, cluster.client() as client:
            fill_suppressions(client, setting)
            clock = Stopwatch()
            batch = draft(client, "raw", path)
            seconds = clock.seconds
        if (batch.rows, batch.refused) != (count - bad_rows(count), bad_rows(count)):
            raise BenchFailed(f"of {count:,} rows {batch.rows:,} were accepted and {batch.refused:,} refused")
        bare = _bare_loop(raw_rows(count))
        runs.append({"rate": count / seconds, "bare": bare, "ratio": count / seconds / bare})
        setting.say(f"  {count / seconds:,.0f} rows/s, the bare loop {bare:,.0f}")
    middle = medians(runs)
    return [
        Figure(
            bench="accept_raw",
            figure="raw rows on disk",
            value=middle["rate"],
            unit="rows/s",
            against=f"bare loop over phonenumbers: {middle['bare']:,.0f} rows/s",
            ratio=middle["ratio"],
            goal=Goal(min_value=0.7, of="ratio"),
        )
    ]


def _bare_loop(rows: list[tuple[str, str]]) -> float:
    """Return the rows per second that a loop parses, validates and formats as E.164."""
    began_s = time.perf_counter()
    valid = 0
    for number, country in rows:
        try:
            parsed = phonenumbers.parse(number, country)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(parsed):
            valid += bool(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    seconds = time.perf_counter() - began_s
    if valid != len(rows) - bad_rows(len(rows)):
        raise BenchFailed(f"the bare loop accepted {valid:,} of {len(rows):,} numbers")
    return len(rows) / seconds
