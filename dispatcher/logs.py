"""Structured logs to stderr, as readable lines or as JSON. They never contain fax numbers."""

import logging
import sys

import structlog

from dispatcher.settings import Settings

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logs(settings: Settings) -> None:
    """Configure logging for this process. Of libraries, only warnings and errors are logged."""
    json = settings.log_format == "json"
    renderer = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.log_level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(logging.WARNING, _LEVELS[settings.log_level]), stream=sys.stderr, force=True)
    # pypdf warns about every irregularity of an uploaded PDF; errors are reported in the answer to the upload
    logging.getLogger("pypdf").setLevel(logging.ERROR)
