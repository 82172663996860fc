"""Measures Redis memory per job of finished, running and waiting batches. Compared with peers' messages."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.drive import DELIVERED, CallOutcome
from benchmarks.figures import Figure, Goal
from benchmarks.million import FAST_POLICY, LargeBatches, ensure_driven, large_batches
from benchmarks.peers.running import LIBRARIES, bytes_per_message
from benchmarks.recipients import bad_rows, write_csv
from benchmarks.setting import Setting
from dispatcher.core.policy.policy import Policy

ROWS, PEER_ROWS = 1_000_000, 20_000
MAX_BYTES = 150
#: calls in progress in the running batch
IN_FLIGHT = 500
_BUSY, _OUT_OF_SERVICE = (
    CallOutcome(error_type="CALL_ERROR", error_code=17),
    CallOutcome(error_type="CALL_ERROR", error_code=34),
)


def finished_outcome(row: int, attempt: int) -> CallOutcome:
    """The rule of the finished batch: of twenty jobs, one fails and two are delivered by the second call."""
    if row % 20 == 0:
        return _OUT_OF_SERVICE
    return _BUSY if row % 20 in (1, 2) and attempt == 1 else DELIVERED


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    count = setting.size(ROWS, minimum=2000)
    path = setting.folder / "memory.csv"
    setting.say(f"  writing {count:,} rows")
    write_csv(path, count)
    jobs = count - bad_rows(count)
    sizes = {}
    with large_batches(setting, "memory") as batches:
        for name, prepare in _BATCHES.items():
            before = batches.used_memory()
            prepare(batches, path, jobs)
            sizes[name] = (batches.used_memory() - before) / jobs
            setting.say(f"  {name}: {sizes[name]:.1f} bytes a job")
    rows = setting.size(PEER_ROWS, minimum=1000)
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
            goal=Goal(max_value=MAX_BYTES),
        )
        for name, value in values.items()
    ]


def _finished(batches: LargeBatches, path: Path, jobs: int) -> None:
    """Prepare a batch that has ended."""
    batches.finish(batches.start("finished", path), finished_outcome)


def _running(batches: LargeBatches, path: Path, jobs: int) -> None:
    """Prepare a batch of which half has ended and some calls are in progress."""
    batch = batches.start("running", path)
    ensure_driven(batches.drive(jobs // 2, FAST_POLICY, outcome_rule=finished_outcome), jobs // 2)
    in_flight = min(IN_FLIGHT, jobs // 10)
    ensure_driven(batches.drive(in_flight, FAST_POLICY, settle=False), in_flight)
    with batches.cluster.client() as client:
        client.pause(batch)


def _waiting(batches: LargeBatches, path: Path, jobs: int) -> None:
    """Prepare a batch of which a fifth was called once and was busy. Retry delays are those of production."""
    batches.start("waiting", path)
    ensure_driven(batches.drive(jobs // 5, Policy(), outcome_rule=lambda row, attempt: _BUSY), jobs // 5)


_BATCHES: dict[str, Callable[[LargeBatches, Path, int], None]] = {
    "finished": _finished,
    "running": _running,
    "waiting, a fifth for a retry": _waiting,
}
