"""Web, scheduler and worker that stop at a failpoint when a file orders it.

Run with ``python -m tests.story.failpoint_process NAME``. The processes are those of production; only
the failpoint hook is added.
"""

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

from dispatcher.core.failpoints import Failpoint
from dispatcher.logs import configure_logs
from dispatcher.runtime import open_runtime, read_policy
from dispatcher.settings import load_settings

#: variable that names the file with the order: a point and the number of a signal
ORDER = "MORTAL_ORDER"


def obey(point: Failpoint) -> None:
    """Signal ourselves if that is ordered for this point. An order is for one process, which leaves its id."""
    order = Path(os.environ[ORDER])
    try:
        wanted, number = order.read_text().split()
        if wanted != point:
            return
        order.rename(order.with_name(f"obeyed-{os.getpid()}"))
    except FileNotFoundError:
        return
    # to this thread: sent to the process, a stop would let it run on until another thread has taken the signal
    signal.pthread_kill(threading.get_ident(), int(number))


async def at(point: Failpoint) -> None:
    obey(point)


async def web() -> None:
    import uvicorn  # late, as in the command: a worker has no use for it

    from dispatcher.api.app import create_app

    settings = load_settings()
    configure_logs(settings)
    async with open_runtime(settings, at) as runtime:
        config = uvicorn.Config(create_app(runtime), host=settings.host, port=settings.port, log_level="warning")
        await uvicorn.Server(config).serve()


def scheduler() -> None:
    from workers.scheduler import serve

    asyncio.run(serve(at))


def worker() -> None:
    from workers.service import run

    settings = load_settings()
    sys.exit(run(settings, read_policy(settings), at))


if __name__ == "__main__":
    match sys.argv[1]:
        case "web":
            asyncio.run(web())
        case "scheduler":
            scheduler()
        case "worker":
            worker()
