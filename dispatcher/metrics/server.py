"""Serves the metrics of a process that answers no other requests."""

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.registry import Collector

from dispatcher.settings import Settings, SettingsError

log = structlog.get_logger(__name__)


def serve_metrics(metrics: Collector, settings: Settings) -> None:
    """Serve metrics at ``BULKFAX_METRICS_PORT`` in a thread, until the process ends.

    Raises:
        SettingsError: The port cannot be listened on.
    """
    registry = CollectorRegistry()
    registry.register(metrics)
    try:
        server, _ = start_http_server(settings.metrics_port, settings.host, registry)
    except OSError as error:
        raise SettingsError(
            f"BULKFAX_METRICS_PORT: port {settings.metrics_port} on {settings.host} cannot be listened on "
            f"({error.strerror}): choose another, or 0 for none"
        ) from error
    server.handle_error = _log_failure  # type: ignore[method-assign,assignment]  # it would print the trace


def _log_failure(*_: object) -> None:
    log.warning("a scrape of the metrics broke off", exc_info=True)
