"""What a job costs Redis at the beginning, in the middle and at the end of a million-row batch: it must not grow."""

from benchmarks.figures import Figure, Goal
from benchmarks.million import HASTY, Million, ensure, million
from benchmarks.recipients import bad_rows, write_csv
from benchmarks.setting import Setting

ROWS, WINDOW = 1_000_000, 10_000
#: commands that the measuring itself sends, and those of connections
_NOT_COUNTED = ("info", "client", "hello", "config", "select", "ping")
#: commands may differ by so much: claims and begins are cut differently at the edges of windows
_SAME, _TIME = 1.01, 1.3


def measure(setting: Setting) -> list[Figure]:
    count = setting.size(ROWS, least=3000)
    window = min(WINDOW, count // 4)
    path = setting.folder / "growth.csv"
    setting.say(f"  writing {count:,} rows")
    write_csv(path, count)
    jobs = count - bad_rows(count)
    costs = {}
    with million(setting, "growth") as there:
        there.started("growth", path)
        at = 0
        for name, start in (("first", 0), ("middle", (jobs - window) // 2), ("last", jobs - window)):
            _drive(there, start - at)
            costs[name] = _cost(there, window)
            at = start + window
            setting.say(f"  {name}: {costs[name][0]:.2f} commands and {costs[name][1]:.1f} us of scripts a job")
    return _figures(costs)


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
