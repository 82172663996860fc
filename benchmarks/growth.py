"""What a job costs Redis at the beginning, in the middle and at the end of a million-row batch: it must not grow.

And how long Redis serves nobody else meanwhile: the longest scripts at the end of the batch, and once more while Redis
rewrites its append-only file, when each page of memory that a script writes to is copied first.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import quantiles

from benchmarks.figures import Figure, Goal
from benchmarks.million import HASTY, Million, ensure, million
from benchmarks.recipients import bad_rows, write_csv
from benchmarks.setting import Setting
from dispatcher.store import lua

ROWS, WINDOW = 1_000_000, 10_000
#: commands that the measuring itself sends, and those of connections
_NOT_COUNTED = ("info", "client", "hello", "config", "select", "ping")
#: commands may differ by so much: claims and begins are cut differently at the edges of windows
_SAME, _TIME = 1.01, 1.3
#: ms; a script that was run less often has no 99th percentile
_P99_MS, _OFTEN = 5.0, 10
#: a rewrite of the append-only file takes no longer; how often is looked
_REWRITE_S, _LOOK_S = 60.0, 0.1
#: entries of Redis' slow log, which takes every command while it is asked to
_LOGGED = 1_000_000


def measure(setting: Setting) -> list[Figure]:
    count = setting.size(ROWS, least=3000)
    window = min(WINDOW, count // 9)
    path = setting.folder / "growth.csv"
    setting.say(f"  writing {count:,} rows")
    write_csv(path, count)
    jobs = count - bad_rows(count)
    costs = {}
    with million(setting, "growth") as there:
        there.started("growth", path)
        at = 0
        for name, start in (("first", 0), ("middle", (jobs - window) // 2), ("last", jobs - 3 * window)):
            _drive(there, start - at)
            costs[name] = _cost(there, window)
            at = start + window
            setting.say(f"  {name}: {costs[name][0]:.2f} commands and {costs[name][1]:.1f} us of scripts a job")
        longest = [_longest(setting, _times(there, window, rewrite=rewrite), rewrite) for rewrite in (False, True)]
    return [*_figures(costs), *longest]


def _times(there: Million, jobs: int, *, rewrite: bool) -> Mapping[str, Sequence[float]]:
    """Milliseconds of each run of each script meanwhile, by its verb, with a rewrite of the file or without."""
    there.redis.config_set("auto-aof-rewrite-percentage", 0)
    _await_rewrite(there)
    there.redis.config_set("slowlog-max-len", _LOGGED)
    there.redis.config_set("slowlog-log-slower-than", 0)  # which costs time of its own
    there.redis.slowlog_reset()
    if rewrite:
        there.redis.bgrewriteaof()
    _drive(there, jobs)
    return _logged(there)


def _await_rewrite(there: Million) -> None:
    end_s = time.monotonic() + _REWRITE_S
    while there.redis.info("persistence")["aof_rewrite_in_progress"] and time.monotonic() < end_s:
        time.sleep(_LOOK_S)


def _logged(there: Million) -> Mapping[str, Sequence[float]]:
    """Milliseconds of each run of each script that was run often, by its verb, as Redis measured them."""
    names = [path.stem for path in Path(lua.__file__).with_name("scripts").glob("*.lua")]
    verbs = {lua.digest(lua.source(name)): name for name in names}
    times = defaultdict[str, list[float]](list)
    for entry in there.redis.slowlog_get(_LOGGED):
        name, _, arguments = entry["command"].decode(errors="replace").partition(" ")
        if name.upper() == "EVALSHA":
            times[verbs.get(arguments.partition(" ")[0], "another")].append(entry["duration"] / 1000)
    return {verb: spent for verb, spent in times.items() if len(spent) >= _OFTEN}


def _p99_ms(spent: Sequence[float]) -> float:
    return quantiles(spent, n=100)[98]


def _longest(setting: Setting, times: Mapping[str, Sequence[float]], rewrite: bool) -> Figure:
    meanwhile = ", file rewritten meanwhile" if rewrite else ""
    for verb, spent in sorted(times.items()):
        setting.say(f"  {verb}: run {len(spent):,} times, 99 % of them within {_p99_ms(spent):.2f} ms{meanwhile}")
    verb = max(times, key=lambda verb: _p99_ms(times[verb]))
    value = _p99_ms(times[verb])
    return Figure(
        bench="growth",
        figure=f"p99 of the longest script, last rows{meanwhile}",
        value=value,
        unit="ms",
        against=f"{verb}, of {len(times)} scripts",
        ratio=value / _P99_MS,
        goal=None if rewrite else Goal(most=_P99_MS),
    )


def _figures(costs: dict[str, tuple[float, float]]) -> list[Figure]:
    figures = []
    for index, unit, most in ((0, "commands/job", _SAME), (1, "us/job", _TIME)):
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
                    goal=Goal(most=most, of="ratio"),
                )
            )
    return figures


def _drive(there: Million, jobs: int) -> None:
    if jobs:
        ensure(there.drive(jobs, HASTY), jobs)


def _cost(there: Million, jobs: int) -> tuple[float, float]:
    """Commands, those inside scripts included, and microseconds of scripts, for each job."""
    before = _counted(there)
    _drive(there, jobs)
    after = _counted(there)
    return (after[0] - before[0]) / jobs, (after[1] - before[1]) / jobs


def _counted(there: Million) -> tuple[float, float]:
    stats = {name.removeprefix("cmdstat_"): stat for name, stat in there.redis.info("commandstats").items()}
    calls = sum(stat["calls"] for name, stat in stats.items() if name.split("|")[0] not in _NOT_COUNTED)
    return calls, stats.get("evalsha", {}).get("usec", 0)
