"""Redis bytes for each job of a finished, a running and a waiting batch. Against messages of dramatiq and Celery."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.drive import DELIVERED, End
from benchmarks.figures import Figure, Goal
from benchmarks.million import HASTY, Million, ensure, million
from benchmarks.peers.running import LIBRARIES, bytes_per_message
from benchmarks.recipients import bad_rows, write_csv
from benchmarks.setting import Setting
from dispatcher.core.policy import Policy

ROWS, PEER_ROWS = 1_000_000, 20_000
MOST_BYTES = 150
#: calls under way in the running batch
IN_FLIGHT = 500
_BUSY, _OUT_OF_SERVICE = End(error_type="CALL_ERROR", error_code=17), End(error_type="CALL_ERROR", error_code=34)


def finished_fate(row: int, attempt: int) -> End:
    """Of twenty jobs one fails for good and two are delivered by the second call."""
    if row % 20 == 0:
        return _OUT_OF_SERVICE
    return _BUSY if row % 20 in (1, 2) and attempt == 1 else DELIVERED


def measure(setting: Setting) -> list[Figure]:
    count = setting.size(ROWS, least=2000)
    path = setting.folder / "memory.csv"
    setting.say(f"  writing {count:,} rows")
    write_csv(path, count)
    jobs = count - bad_rows(count)
    sizes = {}
    with million(setting, "memory") as there:
        for name, bring in _BATCHES.items():
            before = there.used_memory()
            bring(there, path, jobs)
            sizes[name] = (there.used_memory() - before) / jobs
            setting.say(f"  {name}: {sizes[name]:.1f} bytes a job")
    rows = setting.size(PEER_ROWS, least=1000)
    peers = {name: bytes_per_message(name, rows, setting.new_folder(f"memory-{name}")) for name in LIBRARIES}
    return _figures(sizes, peers)


def _figures(sizes: dict[str, float], peers: dict[str, float]) -> list[Figure]:
    against = ", ".join(f"{name} message: {size:,.0f} bytes" for name, size in peers.items())
    values = {"all three, averaged": sum(sizes.values()) / len(sizes), **sizes}
    return [
        Figure(
            bench="memory",
            figure=name,
            value=value,
            unit="bytes/job",
            against=against,
            ratio=value / peers["dramatiq"],
            goal=Goal(most=MOST_BYTES),
        )
        for name, value in values.items()
    ]


def _finished(there: Million, path: Path, jobs: int) -> None:
    there.finish(there.started("finished", path), finished_fate)


def _running(there: Million, path: Path, jobs: int) -> None:
    batch = there.started("running", path)
    ensure(there.drive(jobs // 2, HASTY, fate=finished_fate), jobs // 2)
    in_flight = min(IN_FLIGHT, jobs // 10)
    ensure(there.drive(in_flight, HASTY, settle=False), in_flight)
    with there.cluster.client() as client:
        client.pause(batch)


def _waiting(there: Million, path: Path, jobs: int) -> None:
    """A fifth was called once and was busy, with the delays of production; the rest was not called yet."""
    there.started("waiting", path)
    ensure(there.drive(jobs // 5, Policy(), fate=lambda row, attempt: _BUSY), jobs // 5)


_BATCHES: dict[str, Callable[[Million, Path, int], None]] = {
    "finished": _finished,
    "running": _running,
    "waiting, a fifth for a retry": _waiting,
}
