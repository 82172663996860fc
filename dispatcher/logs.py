"""Structured logs to stderr: readable lines at a desk, JSON for machines. Fax numbers never appear in them."""

import logging
import sys

import structlog

from dispatcher.settings import Settings

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logs(settings: Settings) -> None:
    """Set up logging of this process; libraries speak from warnings upward."""
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
    # it reports every oddity of an uploaded PDF; what is wrong with one is told to whoever uploaded it
    logging.getLogger("pypdf").setLevel(logging.ERROR)
