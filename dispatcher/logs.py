"""Structured logs to stderr, as readable lines or as JSON. They never contain fax numbers."""

import logging
import sys
from collections import Counter
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from dispatcher.core.visible import visible
from dispatcher.settings import Settings

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


#: the levels of lines
LEVELS = tuple(_LEVELS)
_lines: Counter[str] = Counter()


def lines_logged() -> Mapping[str, int]:
    """Return the number of lines that this process has logged, by level."""
    return Counter(_lines)


def _count(_: object, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    _lines[{"exception": "error", "critical": "error", "warn": "warning"}.get(level, level)] += 1
    return event


class _VisibleFormatter(logging.Formatter):
    """Formats what libraries log."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def configure_logs(settings: Settings) -> None:
    """Configure logging for this process. Of libraries, only warnings and errors are logged."""
    json = settings.log_format == "json"
    render = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _count,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            lambda *event: visible(str(render(*event))),  # a trace repeats what others wrote
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.log_level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_VisibleFormatter(logging.BASIC_FORMAT))
    logging.basicConfig(level=max(logging.WARNING, _LEVELS[settings.log_level]), handlers=[handler], force=True)
