"""Web, scheduler and worker that signal themselves at a failpoint if a file says so.

Run with ``python -m tests.story.failpoint_process NAME``. The processes are those of production; only the failpoint
hook is added.
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

#: environment variable with the path of the trigger file, which contains a failpoint and the number of a signal
TRIGGER_FILE = "FAILPOINT_TRIGGER"


def signal_if_triggered(failpoint: Failpoint) -> None:
    """Signal this thread if the trigger file names the failpoint. Only one process does so, and leaves its id."""
    trigger = Path(os.environ[TRIGGER_FILE])
    try:
        name, number = trigger.read_text().split()
        if name != failpoint:
            return
        trigger.rename(trigger.with_name(f"triggered-{os.getpid()}"))
    except FileNotFoundError:
        return
    # to this thread: after SIGSTOP to the process, this thread could run until another thread has received the signal
    signal.pthread_kill(threading.get_ident(), int(number))


async def failpoint_hook(failpoint: Failpoint) -> None:
    """The hook that production code calls at each failpoint."""
    signal_if_triggered(failpoint)


async def web() -> None:
    """Run the web process."""
    import uvicorn  # imported here, as in the command: a worker does not need it

    from dispatcher.api.app import create_app

    settings = load_settings()
    configure_logs(settings, "web")
    async with open_runtime(settings, failpoint_hook) as runtime:
        config = uvicorn.Config(create_app(runtime), host=settings.host, port=settings.port, log_level="warning")
        await uvicorn.Server(config).serve()


def scheduler() -> None:
    """Run the scheduler."""
    from workers.scheduler import serve

    asyncio.run(serve(failpoint_hook))


def worker() -> None:
    """Run the worker."""
    from workers.service import run

    settings = load_settings()
    sys.exit(run(settings, read_policy(settings), failpoint_hook))


if __name__ == "__main__":
    match sys.argv[1]:
        case "web":
            asyncio.run(web())
        case "scheduler":
            scheduler()
        case "worker":
            worker()
