"""All benchmarks by name, in the order in which they run."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import (
    accept,
    accept_raw,
    alerts,
    attacks,
    callbacks,
    dispatch,
    documents,
    emulator,
    growth,
    idle,
    memory,
    metrics,
    numbers,
    pace,
    query,
    recovery,
    startup,
    urgent,
)
from benchmarks.figures import Figure
from benchmarks.setting import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A benchmark: its name on the command line, one line of description, and the function that runs it."""

    name: str
    description: str
    measure: Callable[[Setting], list[Figure]]


_ALL = (
    Bench(
        name="accept",
        description="a million E.164 rows, uploaded over HTTP and written to disk",
        measure=accept.measure,
    ),
    Bench(
        name="accept_raw",
        description="rows with numbers in national form, as customers write them",
        measure=accept_raw.measure,
    ),
    Bench(
        name="numbers",
        description="numbers of 40 countries in six notations: taken, refused, dialled differently",
        measure=numbers.measure,
    ),
    Bench(name="memory", description="Redis memory per job in million-row batches", measure=memory.measure),
    Bench(
        name="dispatch", description="faxes per second at 500 ms latency with 256 in flight", measure=dispatch.measure
    ),
    Bench(
        name="pace", description="use of the account's rate limit, and recovery after it changes", measure=pace.measure
    ),
    Bench(
        name="urgent", description="latency of single urgent faxes beside a million-row batch", measure=urgent.measure
    ),
    Bench(name="idle", description="CPU time with nothing to do", measure=idle.measure),
    Bench(name="startup", description="CPU time until a worker is ready", measure=startup.measure),
    Bench(
        name="recovery",
        description="share of the rate lost to kills, restarts and failing sends",
        measure=recovery.measure,
    ),
    Bench(name="alerts", description="time from an outage until somebody is paged", measure=alerts.measure),
    Bench(name="callbacks", description="callbacks accepted and settled per second", measure=callbacks.measure),
    Bench(
        name="attacks",
        description="latency, missed slots and memory while eight attackers send hostile requests",
        measure=attacks.measure,
    ),
    Bench(
        name="documents",
        description="check of a letter and previews, each with the start of its child process",
        measure=documents.measure,
    ),
    Bench(name="growth", description="cost per job at the beginning and at the end of a batch", measure=growth.measure),
    Bench(name="query", description="API queries about a million-row batch", measure=query.measure),
    Bench(
        name="metrics",
        description="scrapes with a million waiting jobs; processor time of counts and log lines for each fax",
        measure=metrics.measure,
    ),
    Bench(name="emulator", description="faxes per second that the emulator accepts", measure=emulator.measure),
)

BENCHES = {bench.name: bench for bench in _ALL}
