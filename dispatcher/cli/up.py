"""``up``: runs all services on this machine, with an embedded Redis if no other is set."""

import os
from collections.abc import Mapping

from dispatcher.cli.output import note
from dispatcher.cli.server_packages import ensure_server_packages
from dispatcher.cli.services import ensure_can_start
from dispatcher.client import DEFAULT_URL
from dispatcher.local.ports import ensure_port_free, free_port
from dispatcher.local.redis_server import EmbeddedServer
from dispatcher.local.services import WITH_METRICS_PORT, service_processes, wait_until_ready
from dispatcher.local.signals import stopped_by_signals
from dispatcher.local.supervisor import LocalSupervisor, ManagedProcess
from dispatcher.settings import Settings, load_settings


def up() -> None:
    """Run all services on this machine until Ctrl-C: API, scheduler, workers, and Redis if no address is set."""
    ensure_server_packages()
    settings = load_settings()
    ensure_port_free(settings.host, settings.port)
    ensure_can_start(settings)
    if not settings.sinch.project_id:
        note("No account is set, so no fax can be sent: BULKFAX_SINCH__PROJECT_ID, __KEY_ID and __KEY_SECRET.")
    ports = _metrics_ports(settings)
    note(f"starting {'' if settings.redis_url else 'Redis, '}web, scheduler and worker ...")
    with stopped_by_signals() as stop:
        redis, url = _redis(settings)
        env = {**os.environ, "BULKFAX_REDIS_URL": url}
        supervisor = LocalSupervisor([*redis, *service_processes(env, metrics_ports=ports)], note)
        try:
            supervisor.start()
            wait_until_ready(_local_url(settings), supervisor, stop)
            if not stop.is_set():
                note(_welcome(settings, ports))
            supervisor.watch(stop)
        finally:
            note("stopping ...")
            supervisor.stop()


def _redis(settings: Settings) -> tuple[list[ManagedProcess], str]:
    """Return the embedded server, already started because its address is needed, unless the settings name another."""
    if settings.redis_url:
        return [], settings.redis_url
    server = EmbeddedServer(settings.data_dir / "redis")
    server.start()
    return [server], server.url


def _local_url(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104  # compared, not bound
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{settings.port}"


def _metrics_ports(settings: Settings) -> dict[str, int]:
    """Return a port for each service: from ``BULKFAX_METRICS_PORT`` on, or free ones if it is not set."""
    if not settings.metrics_port:
        return {name: free_port() for name in WITH_METRICS_PORT}
    ports = {name: settings.metrics_port + index for index, name in enumerate(WITH_METRICS_PORT)}
    for port in ports.values():
        ensure_port_free(settings.host, port, "BULKFAX_METRICS_PORT")
    return ports


def _welcome(settings: Settings, ports: Mapping[str, int]) -> str:
    embedded = f"data in {settings.data_dir.resolve()}/redis (embedded Redis)"
    data = "data in the Redis that BULKFAX_REDIS_URL names" if settings.redis_url else embedded
    url = _local_url(settings)
    there = "" if url == DEFAULT_URL else f" (there: export BULKFAX_API_URL={url})"
    return (
        f"bulkfax runs: API on {url} (docs under /docs), {data}.\n"
        f"Send a mailing from another terminal{there}: bulkfax send LETTER.pdf RECIPIENTS.csv --watch\n"
        f"Metrics: {url}/metrics/installation for everything, and /metrics of web and of "
        f"{' and '.join(f'{name} (port {port})' for name, port in ports.items())}.\n"
        f"Ctrl-C stops everything."
    )
