"""The benches by name, in the order in which they run."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import (
    accept,
    accept_raw,
    alerts,
    callbacks,
    dispatch,
    emulator,
    growth,
    idle,
    memory,
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
    name: str
    what: str
    measure: Callable[[Setting], list[Figure]]


_ALL = (
    Bench(name="accept", what="a million E.164 rows over HTTP onto disk", measure=accept.measure),
    Bench(name="accept_raw", what="rows as customers write them", measure=accept_raw.measure),
    Bench(name="memory", what="Redis bytes for a job in million-row batches", measure=memory.measure),
    Bench(name="dispatch", what="faxes a second with 500 ms latency and 256 in flight", measure=dispatch.measure),
    Bench(name="pace", what="the account's rate: used, not overrun, regained", measure=pace.measure),
    Bench(name="urgent", what="single urgent faxes beside a million-row batch", measure=urgent.measure),
    Bench(name="idle", what="processor time with nothing to do", measure=idle.measure),
    Bench(name="startup", what="processor time until a worker is ready", measure=startup.measure),
    Bench(name="recovery", what="what kills, restarts and failing sends cost of the rate", measure=recovery.measure),
    Bench(name="alerts", what="seconds from an outage until somebody is paged", measure=alerts.measure),
    Bench(name="callbacks", what="callbacks accepted and settled a second", measure=callbacks.measure),
    Bench(name="growth", what="the cost of a job at the beginning and at the end of a batch", measure=growth.measure),
    Bench(name="query", what="questions about a million-row batch", measure=query.measure),
    Bench(name="emulator", what="faxes a second that the emulator itself takes", measure=emulator.measure),
)

BENCHES = {bench.name: bench for bench in _ALL}
