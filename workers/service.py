"""``bulkfax worker``: a supervisor and its worker processes."""

import asyncio
from dataclasses import replace
from functools import partial

import structlog

from dispatcher.alive import AliveFile
from dispatcher.core.failpoints import FailpointHook, no_failpoint
from dispatcher.core.policy.policy import Policy
from dispatcher.logs import configure_logs
from dispatcher.runtime import open_store
from dispatcher.service.errors import StoreError
from dispatcher.settings import Settings
from workers import identity, process
from workers.identity import Identity
from workers.supervisor import Supervisor, SupervisorPlan

#: time limit for reporting that a process has ended; if it fails, missing heartbeats show it a little later
_REPORT_TIMEOUT_S = 5.0

log = structlog.get_logger(__name__)


def run(settings: Settings, policy: Policy, failpoint: FailpointHook = no_failpoint) -> int:
    """Run the worker processes of this service until SIGTERM or SIGINT, and return 0.

    Args:
        settings: The settings.
        policy: Its time limits decide how long a process may take to stop.
        failpoint: Called at the failpoints, for tests.
    """
    configure_logs(settings, "worker-supervisor")

    with identity.service_names(settings.redis_url, settings.worker_processes) as names:
        alive = AliveFile(settings.alive_dir, "worker")
        for name in names:
            process.alive_file(settings, name).expect()
        plan = SupervisorPlan(
            names=names,
            work=partial(process.main, failpoint=failpoint),
            report_end=partial(report_end, settings),
            stop_s=process.stop_s(policy),
            turn=alive.touch,
        )
        Supervisor(_with_metrics(plan, settings, failpoint) if settings.metrics_port else plan).run()
    return 0


def _with_metrics(plan: SupervisorPlan, settings: Settings, failpoint: FailpointHook) -> SupervisorPlan:
    """Return the plan with a process that exports the metrics of the others."""
    from workers import exporter  # late: services without a port for metrics start without its packages

    channels = exporter.Channels(len(plan.names))

    def work(who: Identity, lifeline: int) -> int:
        door = exporter.Door(channels, plan.names.index(who.name))
        return process.main(who, lifeline, failpoint, door)

    return replace(plan, work=work, export=partial(exporter.run, settings, channels), count_start=channels.count_start)


def report_end(settings: Settings, who: Identity) -> None:
    """Tell the registry that a process has ended, so that others take over its leases at once."""
    try:
        asyncio.run(_send_report_end(settings, who))
    except (StoreError, TimeoutError) as error:
        log.warning("the end of a worker process could not be reported", worker=who.name, error=str(error))


async def _send_report_end(settings: Settings, who: Identity) -> None:
    async with asyncio.timeout(_REPORT_TIMEOUT_S), open_store(settings) as store:
        await store.workers.report_end(who.name, who.instance)
