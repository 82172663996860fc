"""Structured logs to stderr, as readable lines or as JSON. They never contain fax numbers.

In JSON each line is one object, with the process that wrote it: also what libraries log, warnings, and errors that end
a process or a thread. Our own lines do not take the way through ``logging``, which would double what one costs.
"""

import logging
import os
import re
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from importlib.metadata import version
from types import TracebackType
from typing import Any

import structlog

from dispatcher.core.visible import visible
from dispatcher.settings import Settings, log_format

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

#: the levels of lines
LEVELS = tuple(_LEVELS)

_Event = MutableMapping[str, Any]
_lines: Counter[str] = Counter()
#: what each line of JSON says of the process. A forked process changes it: loggers keep their processors
_process: dict[str, str] = {}

log = structlog.get_logger(__name__)


def lines_logged() -> Mapping[str, int]:
    """Return the number of lines that this process has logged, or left out as repeats, by level."""
    return Counter(_lines)


def _count(_: object, level: str, event: _Event) -> _Event:
    _lines[{"exception": "error", "critical": "error", "warn": "warning"}.get(level, level)] += 1
    return event


class RepeatLimit:
    """Leaves out warnings and errors that repeat others: the first lines of each minute tell enough.

    The next line that is written has the number of those left out. A line repeats another if it says the same of the
    same; what differs between them may be the reason, or the request.
    """

    LINES, WINDOW_S = 10, 60.0
    #: kinds of lines that are remembered
    MAX_KINDS = 1_000
    _VARYING = frozenset({"error", "reason", "why", "request_id", "exc_info", "_record"})

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` returns seconds."""
        self._clock = clock
        #: by kind: when its window began, and the lines since then
        self._seen: dict[tuple[object, ...], tuple[float, int]] = {}

    def __call__(self, _: object, level: str, event: _Event) -> _Event:
        """Return the event. Raises DropEvent if it is left out."""
        if level in ("debug", "info"):
            return event
        kind, now_s = self._kind(event), self._clock()
        since_s, lines = self._seen.pop(kind, (now_s, 0))
        if now_s - since_s >= self.WINDOW_S:
            if lines > self.LINES:
                event["left_out"] = lines - self.LINES
            since_s, lines = now_s, 0
        self._seen[kind] = since_s, lines + 1
        if len(self._seen) > self.MAX_KINDS:
            del self._seen[next(iter(self._seen))]
        if lines >= self.LINES:
            raise structlog.DropEvent
        return event

    def _kind(self, event: _Event) -> tuple[object, ...]:
        record = event.get("_record")
        if isinstance(record, logging.LogRecord):
            return record.name, str(record.msg)
        return tuple(value for name, value in event.items() if name not in self._VARYING and isinstance(value, str))


def _tell_process(_: object, __: str, event: _Event) -> _Event:
    event.update(_process)
    event["pid"] = os.getpid()
    return event


#: a fax number as libraries may repeat it from an address or a body
_NUMBER = re.compile(r"(\+|%2[Bb])\d{7,15}")


def without_numbers(line: str) -> str:
    """Return a line without fax numbers in international form. We log none; what libraries say is not ours."""
    return _NUMBER.sub(r"\1...", line) if "+" in line or "%2" in line else line


class _LibraryHandler(logging.StreamHandler[Any]):
    """Writes what libraries log."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(structlog.DropEvent):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # as logging names it
        error = type(sys.exception()).__name__
        log.error("a line of a library could not be written", logger=record.name, error=error)


def configure_logs(settings: Settings, process: str) -> None:
    """Configure logging for this process, and log its start. Of libraries, only warnings and errors are logged.

    Args:
        settings: The settings.
        process: What the process is, such as ``web`` or ``worker-0``; the same as in metrics.
    """
    _configure(settings.log_format, settings.log_level, process)
    log.info("started", process=process)


def _configure(form: str, level: str, process: str) -> None:
    shared, final = _processors(form, process)
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        # one write for each line: threads, and libraries by their own handler, write at the same time
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    meta, named = structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.stdlib.add_logger_name
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=[named, *shared], processors=[meta, *final])
    handler = _LibraryHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=max(logging.WARNING, _LEVELS[level]), handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _log_end
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_end_of_thread


def _processors(form: str, process: str) -> tuple[list[Any], list[Any]]:
    """Return the processors that every line passes, and those that make it a text."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _count,
        RepeatLimit(),
    ]
    render: Any = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    if form == "json":
        _process.update(process=process, host=socket.gethostname(), version=version("bulkfax"))
        shared.append(_tell_process)
        render = structlog.processors.JSONRenderer()
    shared.append(structlog.processors.TimeStamper(fmt="iso", utc=True))
    return shared, [
        structlog.processors.format_exc_info,
        lambda *event: without_numbers(visible(str(render(*event)))),  # a trace repeats what others wrote
    ]


def report_failure(process: str, sentence: str, error: BaseException | None = None) -> None:
    """Tell why a process ends, or cannot start, also before its settings could be read.

    Args:
        process: What the process is.
        sentence: The reason, for people.
        error: An error that nobody expected; JSON has its trace.
    """
    if log_format() != "json":
        print(visible(f"{process}: {sentence}"), file=sys.stderr)  # noqa: T201  # logs may not be configured yet
        return
    _configure("json", "info", process)
    log.critical("the process ends", error=sentence, exc_info=error)


def _log_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log.critical("an error ends the process", exc_info=(kind, error, trace))


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        name = ended.thread.name if ended.thread else ""
        trace = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        log.critical("an error ends a thread", thread=name, exc_info=trace)


def _log_unraisable(ignored: "sys.UnraisableHookArgs") -> None:
    if ignored.exc_value is not None:
        trace = (ignored.exc_type, ignored.exc_value, ignored.exc_traceback)
        log.error("an error was ignored", place=type(ignored.object).__name__, exc_info=trace)
