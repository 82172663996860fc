"""Measures what one letter costs: the check of an upload and the previews, each with the start of its child process."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile

import pikepdf

from benchmarks.figures import Figure, Goal, percentile
from benchmarks.setting import Setting
from dispatcher.child_process.runner import ChildLimits, ChildProcesses

#: calls of each kind
CALLS = 40
_LETTER = Path(__file__).resolve().parent.parent / "examples" / "letter.pdf"
_CHECK, _PREVIEW = "dispatcher.documents.check", "dispatcher.documents.preview"
_LIMITS = ChildLimits(output_bytes=4_000_000)
#: milliseconds
MAX_FINE, MAX_SUPERFINE, MAX_CHECK = 150, 300, 300


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    return asyncio.run(_measured(setting.size(CALLS, minimum=5)))


async def _measured(calls: int) -> list[Figure]:
    processes = ChildProcesses(at_once=1)
    with TemporaryFile(buffering=0) as letter:
        letter.write(_four_pages())

        def preview(resolution: str) -> Callable[[], Awaitable[object]]:
            return lambda: processes.answer_and_file(_PREVIEW, letter, "1", resolution, "HALFTONE", limits=_LIMITS)

        return [
            await _figure("preview in FINE", preview("FINE"), calls, MAX_FINE),
            await _figure("preview in SUPERFINE", preview("SUPERFINE"), calls, MAX_SUPERFINE),
            await _figure(
                "check of a letter of four pages",
                lambda: processes.answer(_CHECK, letter, "200", "900"),
                calls,
                MAX_CHECK,
            ),
        ]


def _four_pages() -> bytes:
    """Return the example twice."""
    file = BytesIO()
    with pikepdf.open(_LETTER) as letter, pikepdf.open(_LETTER) as again:
        letter.pages.extend(again.pages)
        letter.save(file)
    return file.getvalue()


async def _figure(name: str, call: Callable[[], Awaitable[object]], calls: int, max_ms: float) -> Figure:
    await call()  # compiles modules, and brings files into the cache of the system
    times = []
    for _ in range(calls):
        started = time.perf_counter()
        await call()
        times.append((time.perf_counter() - started) * 1000)
    return Figure(
        bench="documents",
        figure=f"{name}, with the start of its process",
        value=median(times),
        unit="ms",
        against=f"{calls} calls, 95 % within {percentile(times, 0.95):.0f} ms",
        ratio=median(times) / max_ms,
        goal=Goal(max_value=max_ms),
    )
