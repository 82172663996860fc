"""Measures how long outages take to page somebody, with a real Prometheus, bulkfax's rules and a real Alertmanager.

A system that runs well must not page. In another system, each outage has to page with the alert that names it.
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
#: seconds for which the healthy system runs
_HEALTHY_S = 3600.0
#: seconds until somebody has to be paged, and maximum seconds of an outage, before they are divided
_PAGED_S, _OUTAGE_S = 180.0, 300.0
#: maximum seconds until an alert resolves after the outage
_RESOLVED_S = 600.0
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """An outage: how it begins, how it ends, and the alert that has to fire."""

    name: str
    alert: str
    begin: Callable[[RecoveryCluster], None]
    end: Callable[[RecoveryCluster], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The alerts that an outage caused."""

    outage: Outage
    #: seconds from the outage to the page; None: nobody was paged
    paged_s: float | None
    #: names of further alerts
    others: Sequence[str]


def _use_wrong_broker(cluster: RecoveryCluster) -> None:
    """Restart the workers with another broker than the scheduler's, so that they live and receive no messages."""
    cluster.replace_workers(BULKFAX_BROKER_URL=cluster.local.server.url.replace("/0", "/7"))


def _start_schedulers(cluster: RecoveryCluster) -> None:
    for scheduler in cluster.schedulers:
        restart(scheduler)


def _signal_redis(number: signal.Signals) -> Callable[[RecoveryCluster], None]:
    return lambda cluster: os.kill(cluster.local.server.pid, number)


def _limit_redis(max_bytes: int) -> Callable[[RecoveryCluster], None]:
    """Return a function that limits the memory of Redis; 0 removes the limit."""

    def limit(cluster: RecoveryCluster) -> None:
        with redis.Redis.from_url(cluster.local.server.url) as client:
            client.config_set("maxmemory", max_bytes)

    return limit


def _play_scenario(scenario: str) -> Callable[[RecoveryCluster], None]:
    return lambda cluster: cluster.local.emulator_api.play(scenario)


def _recover(cluster: RecoveryCluster) -> None:
    cluster.local.emulator_api.play("")
    with cluster.local.client() as client:
        for hold in client.account().holds:
            client.release_hold(hold.scope)


#: outages that the test suite plays as well; ``MORE_OUTAGES`` are for the benchmark only
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
    Outage(
        name="402 to every send", alert="BulkfaxHeld", begin=_play_scenario('requests = "402_before"'), end=_recover
    ),
    Outage(
        name="workers at the wrong broker",
        alert="BulkfaxNotSending",
        begin=_use_wrong_broker,
        end=RecoveryCluster.replace_workers,
    ),
    Outage(
        name="every call fails",
        alert="BulkfaxFirstCallsFail",
        begin=_play_scenario('outcomes = "congestion"'),
        end=_recover,
    ),
)
MORE_OUTAGES = (
    Outage(
        name="503 to every send",
        alert="BulkfaxProviderOutage",
        begin=_play_scenario('requests = "503_before"'),
        end=_recover,
    ),
    Outage(
        name="connections to the provider break",
        alert="BulkfaxProviderOutage",
        begin=_play_scenario('requests = "drop_before"'),
        end=_recover,
    ),
    Outage(
        name="the provider answers too late",
        alert="BulkfaxProviderOutage",
        begin=_play_scenario('requests = "stall_before"'),
        end=_recover,
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
    """Run the benchmark and return its figures."""
    healthy_s = max(60.0, _HEALTHY_S * setting.scale)
    with monitored(setting, round(_RATE * 2 * healthy_s)) as (_, healthy):
        began_s = time.monotonic()
        setting.say(f"  a healthy system runs for {healthy_s / 60:.0f} minutes, with an idle draft and a paused batch")
        figures = _play_all(setting, (*MORE_OUTAGES, *OUTAGES))
        time.sleep(max(0.0, began_s + healthy_s - time.monotonic()))
        return [_healthy_figure(setting, time.monotonic() - began_s, healthy.pages), *figures]


def _play_all(setting: Setting, outages: Sequence[Outage]) -> list[Figure]:
    """Play outages one after the other in a separate system. The one that leaves failed calls behind is the last."""
    figures = []
    with monitored(setting, round(_RATE * len(outages) * (_OUTAGE_S + _RESOLVED_S))) as (cluster, monitoring):
        time.sleep(_PAGED_S)
        for outage in outages:
            result = play(cluster, monitoring, outage)
            setting.say(f"  {outage.name}: {_describe(result)}")
            figures.append(_figure(result))
    return figures


@contextmanager
def monitored(setting: Setting, jobs: int, *, divisor: int = 1) -> Iterator[tuple[RecoveryCluster, Monitoring]]:
    """Start a monitored system that sends ``jobs`` faxes and has an idle draft and a paused batch."""
    folder = setting.new_folder("monitoring")
    with RecoveryCluster(setting, rate=_RATE) as cluster:
        _create_idle_batches(cluster)
        cluster.send(jobs)
        with Monitoring(folder, cluster.local.url, divisor=divisor) as monitoring:
            yield cluster, monitoring


def _create_idle_batches(cluster: RecoveryCluster) -> None:
    """Create an idle draft and a paused batch, which wait for a person and must not page."""
    path = cluster.local.folder / "idle.csv"
    write_csv(path, 1000)
    with cluster.local.client() as client:
        draft(client, "an idle draft", path)
        paused = draft(client, "a paused batch", path)
        client.start(paused.id, allow_repeat=True)
        client.pause(paused.id)


def play(cluster: RecoveryCluster, monitoring: Monitoring, outage: Outage, *, divisor: int = 1) -> Result:
    """Play an outage until no alert fires any more.

    Raises:
        BenchFailed: An alert did not resolve in time.
    """
    before, began_s = len(monitoring.pages), time.time()

    def pages_of_outage() -> list[Page]:
        return [page for page in monitoring.pages[before:] if page.firing]

    outage.begin(cluster)
    end_s = time.monotonic() + _OUTAGE_S / divisor
    while time.monotonic() < end_s and outage.alert not in {page.name for page in pages_of_outage()}:
        time.sleep(_LOOK_S)
    outage.end(cluster)
    # pages that arrive while the alert resolves belong to the outage as well
    cluster.local.wait(
        lambda: not monitoring.firing(), _RESOLVED_S / divisor, f"{outage.name}: the alert did not resolve"
    )
    paged_s = [page.received_s - began_s for page in pages_of_outage() if page.name == outage.alert]
    return Result(
        outage=outage,
        paged_s=min(paged_s, default=None),
        others=sorted({page.name for page in pages_of_outage()} - {outage.alert}),
    )


def _describe(result: Result) -> str:
    when = "nobody was paged" if result.paged_s is None else f"{result.outage.alert} after {result.paged_s:.0f} s"
    return f"{when}; also {', '.join(result.others)}" if result.others else when


def _healthy_figure(setting: Setting, healthy_s: float, pages: Sequence[Page]) -> Figure:
    for page in pages:
        setting.say(f"  false alarm: {page.name}")
    return Figure(
        bench="alerts",
        figure="alerts while all is well",
        value=len(pages),
        unit="alerts",
        against=f"{healthy_s / 60:.0f} minutes",
        ratio=float(len(pages)),
        goal=Goal(max_value=0),
    )


def _figure(result: Result) -> Figure:
    """Return the figure of an outage. It is infinite without the right page, and with any other page beside it."""
    paged_s = result.paged_s if result.paged_s is not None and not result.others else float("inf")
    return Figure(
        bench="alerts",
        figure=f"{result.outage.name}: seconds until paged",
        value=paged_s,
        unit="s",
        against=" ".join([result.outage.alert, *result.others]),
        ratio=paged_s / _PAGED_S,
        goal=Goal(max_value=_PAGED_S),
    )
