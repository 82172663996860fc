"""Measures the cost of a job in Redis at the beginning, in the middle and at the end of a million-row batch.

The cost must not grow. The run times of the longest scripts at the end of the batch show how long Redis serves nobody
else. They are measured once more while Redis rewrites its append-only file and copies each page that a script changes.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import quantiles

from benchmarks.figures import Figure, Goal
from benchmarks.million import FAST_POLICY, LargeBatches, ensure_driven, large_batches
from benchmarks.recipients import bad_rows, write_csv
from benchmarks.setting import Setting
from dispatcher.store import lua

ROWS, WINDOW = 1_000_000, 10_000
#: commands of the measurement itself, and of connections
_NOT_COUNTED = ("info", "client", "hello", "config", "select", "ping")
#: maximum ratios of commands and of time; commands vary because leases are cut differently at the edges of windows
_MAX_COMMANDS_RATIO, _MAX_TIME_RATIO = 1.01, 1.3
#: goal in ms; a script that ran less often than ``_MIN_RUNS`` has no 99th percentile
_P99_MS, _MIN_RUNS = 5.0, 10
#: longest wait for a rewrite of the append-only file, and the interval of checks
_REWRITE_S, _LOOK_S = 60.0, 0.1
#: maximum entries of Redis' slow log, which records every command during a measurement
_LOGGED = 1_000_000


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    count = setting.size(ROWS, minimum=3000)
    window = min(WINDOW, count // 9)
    path = setting.folder / "growth.csv"
    setting.say(f"  writing {count:,} rows")
    write_csv(path, count)
    jobs = count - bad_rows(count)
    costs = {}
    with large_batches(setting, "growth") as batches:
        batches.start("growth", path)
        position = 0
        for name, start in (("first", 0), ("middle", (jobs - window) // 2), ("last", jobs - 3 * window)):
            _drive(batches, start - position)
            costs[name] = _cost(batches, window)
            position = start + window
            setting.say(f"  {name}: {costs[name][0]:.2f} commands and {costs[name][1]:.1f} us of scripts a job")
        longest = [_longest(setting, _times(batches, window, rewrite=rewrite), rewrite) for rewrite in (False, True)]
    return [*_figures(costs), *longest]


def _times(batches: LargeBatches, jobs: int, *, rewrite: bool) -> Mapping[str, Sequence[float]]:
    """Drive ``jobs``, with or without a rewrite of the file, and return the run times of each script in ms."""
    batches.redis.config_set("auto-aof-rewrite-percentage", 0)
    _await_rewrite(batches)
    batches.redis.config_set("slowlog-max-len", _LOGGED)
    batches.redis.config_set("slowlog-log-slower-than", 0)  # logging itself takes time
    batches.redis.slowlog_reset()
    if rewrite:
        batches.redis.bgrewriteaof()
    _drive(batches, jobs)
    return _logged(batches)


def _await_rewrite(batches: LargeBatches) -> None:
    end_s = time.monotonic() + _REWRITE_S
    while batches.redis.info("persistence")["aof_rewrite_in_progress"] and time.monotonic() < end_s:
        time.sleep(_LOOK_S)


def _logged(batches: LargeBatches) -> Mapping[str, Sequence[float]]:
    """Return the run times in ms that Redis measured, by script, for scripts that ran often enough."""
    names = [path.stem for path in Path(lua.__file__).with_name("scripts").glob("*.lua")]
    names_by_digest = {lua.digest(lua.source(name)): name for name in names}
    times = defaultdict[str, list[float]](list)
    for entry in batches.redis.slowlog_get(_LOGGED):
        name, _, arguments = entry["command"].decode(errors="replace").partition(" ")
        if name.upper() == "EVALSHA":
            times[names_by_digest.get(arguments.partition(" ")[0], "unknown")].append(entry["duration"] / 1000)
    return {script: durations for script, durations in times.items() if len(durations) >= _MIN_RUNS}


def _p99_ms(durations: Sequence[float]) -> float:
    return quantiles(durations, n=100)[98]


def _longest(setting: Setting, times: Mapping[str, Sequence[float]], rewrite: bool) -> Figure:
    suffix = ", file rewritten meanwhile" if rewrite else ""
    for script, durations in sorted(times.items()):
        setting.say(f"  {script}: {len(durations):,} runs, 99 % within {_p99_ms(durations):.2f} ms{suffix}")
    script = max(times, key=lambda script: _p99_ms(times[script]))
    value = _p99_ms(times[script])
    return Figure(
        bench="growth",
        figure=f"p99 of the longest script, last rows{suffix}",
        value=value,
        unit="ms",
        against=f"{script}, of {len(times)} scripts",
        ratio=value / _P99_MS,
        goal=None if rewrite else Goal(max_value=_P99_MS),
    )


def _figures(costs: dict[str, tuple[float, float]]) -> list[Figure]:
    figures = []
    for index, unit, max_ratio in ((0, "commands/job", _MAX_COMMANDS_RATIO), (1, "us/job", _MAX_TIME_RATIO)):
        first = costs["first"][index]
        for name in ("middle", "last"):
            value = costs[name][index]
            figures.append(
                Figure(
                    bench="growth",
                    figure=f"{unit.split('/')[0].replace('us', 'time of scripts')}, {name} rows",
                    value=value,
                    unit=unit,
                    against=f"first rows: {first:.3g} {unit}",
                    ratio=value / first,
                    goal=Goal(max_value=max_ratio, of="ratio"),
                )
            )
    return figures


def _drive(batches: LargeBatches, jobs: int) -> None:
    if jobs:
        ensure_driven(batches.drive(jobs, FAST_POLICY), jobs)


def _cost(batches: LargeBatches, jobs: int) -> tuple[float, float]:
    """Return the commands per job, including those inside scripts, and the microseconds of scripts per job."""
    before = _command_stats(batches)
    _drive(batches, jobs)
    after = _command_stats(batches)
    return (after[0] - before[0]) / jobs, (after[1] - before[1]) / jobs


def _command_stats(batches: LargeBatches) -> tuple[float, float]:
    stats = {name.removeprefix("cmdstat_"): stat for name, stat in batches.redis.info("commandstats").items()}
    calls = sum(stat["calls"] for name, stat in stats.items() if name.split("|")[0] not in _NOT_COUNTED)
    return calls, stats.get("evalsha", {}).get("usec", 0)
