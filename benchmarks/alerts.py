"""Who is woken by what, and after how long: real outages, a real Prometheus with our rules, a real Alertmanager.

Nothing may be paged in an installation that runs well, and each outage of another one has to page with the alert that
names it.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import redis

from benchmarks.cluster import draft
from benchmarks.figures import Figure, Goal
from benchmarks.monitoring import Monitoring, Page
from benchmarks.recipients import write_csv
from benchmarks.recovery_cluster import RecoveryCluster, kill, restart
from benchmarks.setting import Setting

_RATE = 20
#: seconds of running in which nothing happens
_WELL_S = 3600.0
#: seconds within which somebody has to be paged, and that an outage lasts at the most; before they are divided
_PAGED_S, _LASTS_S = 180.0, 300.0
#: seconds until an alert that has ended is told to be over
_OVER_S = 600.0
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Something that goes wrong, how it is put right, and the alert that has to come."""

    name: str
    alert: str
    begin: Callable[[RecoveryCluster], None]
    end: Callable[[RecoveryCluster], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """``paged_s``: seconds from the outage to the page; None: nobody was paged. ``others``: further alerts."""

    outage: Outage
    paged_s: float | None
    others: Sequence[str]


def _deafen_workers(cluster: RecoveryCluster) -> None:
    """They live, and hear of no work: their broker is another one than the scheduler's."""
    cluster.replace_workers(BULKFAX_BROKER_URL=cluster.local.server.url.replace("/0", "/7"))


def _start_schedulers(cluster: RecoveryCluster) -> None:
    for scheduler in cluster.schedulers:
        restart(scheduler)


def _signal_redis(number: signal.Signals) -> Callable[[RecoveryCluster], None]:
    return lambda cluster: os.kill(cluster.local.server.pid, number)


def _limit_redis(most_bytes: int) -> Callable[[RecoveryCluster], None]:
    """0: no limit."""

    def limit(cluster: RecoveryCluster) -> None:
        with redis.Redis.from_url(cluster.local.server.url) as client:
            client.config_set("maxmemory", most_bytes)

    return limit


def _answers(scenario: str) -> Callable[[RecoveryCluster], None]:
    return lambda cluster: cluster.local.emulator_api.play(scenario)


def _well_again(cluster: RecoveryCluster) -> None:
    cluster.local.emulator_api.play("")
    with cluster.local.client() as client:
        for hold in client.account().holds:
            client.release_hold(hold.scope)


#: those that the suite plays, the others are for the bench only
OUTAGES = (
    Outage(
        name="all workers killed",
        alert="BulkfaxWorkersGone",
        begin=lambda cluster: kill(cluster.workers),
        end=RecoveryCluster.replace_workers,
    ),
    Outage(
        name="the only scheduler killed",
        alert="BulkfaxSchedulerGone",
        begin=lambda cluster: kill(cluster.schedulers),
        end=_start_schedulers,
    ),
    Outage(name="402 to every send", alert="BulkfaxHeld", begin=_answers('requests = "402_before"'), end=_well_again),
    Outage(
        name="workers at the wrong broker",
        alert="BulkfaxNotSending",
        begin=_deafen_workers,
        end=RecoveryCluster.replace_workers,
    ),
    Outage(
        name="every call fails",
        alert="BulkfaxFirstCallsFail",
        begin=_answers('outcomes = "congestion"'),
        end=_well_again,
    ),
)
MORE_OUTAGES = (
    Outage(name="503 to every send", alert="BulkfaxHeld", begin=_answers('requests = "503_before"'), end=_well_again),
    Outage(
        name="connections to the provider break",
        alert="BulkfaxHeld",
        begin=_answers('requests = "drop_before"'),
        end=_well_again,
    ),
    Outage(
        name="the only web process killed",
        alert="BulkfaxDown",
        begin=lambda cluster: kill([cluster.web]),
        end=lambda cluster: restart(cluster.web),
    ),
    Outage(name="Redis is full", alert="BulkfaxStoreRefusesWrites", begin=_limit_redis(1), end=_limit_redis(0)),
    Outage(
        name="Redis hangs", alert="BulkfaxDown", begin=_signal_redis(signal.SIGSTOP), end=_signal_redis(signal.SIGCONT)
    ),
)


def measure(setting: Setting) -> list[Figure]:
    well_s = max(60.0, _WELL_S * setting.scale)
    with monitored(setting, round(_RATE * 2 * well_s)) as (_, well):
        began_s = time.monotonic()
        setting.say(f"  all is well for {well_s / 60:.0f} minutes, with an idle draft and a paused batch")
        figures = _play_all(setting, (*MORE_OUTAGES, *OUTAGES))
        time.sleep(max(0.0, began_s + well_s - time.monotonic()))
        return [_well_figure(setting, time.monotonic() - began_s, well.pages), *figures]


def _play_all(setting: Setting, outages: Sequence[Outage]) -> list[Figure]:
    """In an installation of their own, one after the other; the one that leaves failed calls behind is the last."""
    figures = []
    with monitored(setting, round(_RATE * len(outages) * (_LASTS_S + _OVER_S))) as (cluster, monitoring):
        time.sleep(_PAGED_S)
        for outage in outages:
            result = play(cluster, monitoring, outage)
            setting.say(f"  {outage.name}: {_said(result)}")
            figures.append(_figure(result))
    return figures


@contextmanager
def monitored(setting: Setting, jobs: int, *, by: int = 1) -> Iterator[tuple[RecoveryCluster, Monitoring]]:
    """An installation that sends ``jobs``, has an idle draft and a paused batch, and is watched."""
    folder = setting.new_folder("monitoring")
    with RecoveryCluster(setting, rate=_RATE) as cluster:
        _rest(cluster)
        cluster.send(jobs)
        with Monitoring(folder, cluster.local.url, by=by) as monitoring:
            yield cluster, monitoring


def _rest(cluster: RecoveryCluster) -> None:
    """What waits for a person and is nobody's trouble."""
    path = cluster.local.folder / "resting.csv"
    write_csv(path, 1000)
    with cluster.local.client() as client:
        draft(client, "an idle draft", path)
        paused = draft(client, "a paused batch", path)
        client.start(paused.id)
        client.pause(paused.id)


def play(cluster: RecoveryCluster, monitoring: Monitoring, outage: Outage, *, by: int = 1) -> Result:
    """One outage, from its begin until nothing fires any more. Raises BenchFailed when that does not come."""
    before, began_s = len(monitoring.pages), time.time()

    def came() -> list[Page]:
        return [page for page in monitoring.pages[before:] if page.firing]

    outage.begin(cluster)
    end_s = time.monotonic() + _LASTS_S / by
    while time.monotonic() < end_s and outage.alert not in {page.name for page in came()}:
        time.sleep(_LOOK_S)
    outage.end(cluster)
    # what is told a little later belongs to it as well
    cluster.local.wait(lambda: not monitoring.firing(), _OVER_S / by, f"{outage.name}: the alert does not end")
    paged_s = [page.came_s - began_s for page in came() if page.name == outage.alert]
    return Result(
        outage=outage,
        paged_s=min(paged_s, default=None),
        others=sorted({page.name for page in came()} - {outage.alert}),
    )


def _said(result: Result) -> str:
    when = "nobody was paged" if result.paged_s is None else f"{result.outage.alert} after {result.paged_s:.0f} s"
    return f"{when}; also {', '.join(result.others)}" if result.others else when


def _well_figure(setting: Setting, well_s: float, pages: Sequence[Page]) -> Figure:
    for page in pages:
        setting.say(f"  although all was well: {page.name}")
    return Figure(
        bench="alerts",
        figure="alerts while all is well",
        value=len(pages),
        unit="alerts",
        against=f"{well_s / 60:.0f} minutes",
        ratio=float(len(pages)),
        goal=Goal(most=0),
    )


def _figure(result: Result) -> Figure:
    """Whoever is paged by something else as well was not paged right."""
    paged_s = result.paged_s if result.paged_s is not None and not result.others else float("inf")
    return Figure(
        bench="alerts",
        figure=f"{result.outage.name}: seconds until paged",
        value=paged_s,
        unit="s",
        against=" ".join([result.outage.alert, *result.others]),
        ratio=paged_s / _PAGED_S,
        goal=Goal(most=_PAGED_S),
    )
