"""Runs CPU work beside the event loop, in the only thread of a process for such work.

One thread is the limit of the whole process: Python runs one thread at a time, so a second one would not be quicker,
and each busy thread makes the event loop wait longer for its turn. Calls run in the order in which they were made.
Callers that make their next call after the result of the one before share the thread fairly, and keep no more in memory
than one call needs.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")

#: what every name of the thread begins with
THREAD_NAME = "cpu"
#: seconds after which a busy thread lets the event loop continue. Python's default of 5 ms is spent on each of the few
#: iterations that a small request takes
SWITCH_INTERVAL_S = 0.001

_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix=THREAD_NAME)


async def on_cpu_thread(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Call a function on the thread and return its result. A call should take some 20 ms at most."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, partial(work, *args, **kwargs))
