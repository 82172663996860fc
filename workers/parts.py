"""The runtime of a worker process, opened on its event loop and closed when the process stops."""

import asyncio
from contextlib import AsyncExitStack

from dramatiq import Broker, Worker
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import Middleware

from dispatcher.core.points import At
from dispatcher.logs import configure_logs
from dispatcher.runtime import Runtime, open_runtime
from dispatcher.settings import Settings


class Parts(Middleware):
    """Hands actors the runtime. Listed after AsyncIO, so that it is closed while the loop still runs."""

    def __init__(self, settings: Settings, at: At | None = None) -> None:
        self._settings = settings
        self._at = at
        self._stack = AsyncExitStack()
        self._opening: asyncio.Task[Runtime] | None = None

    async def runtime(self) -> Runtime:
        """The one of this process; an opening that failed is tried again by the next message."""
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> Runtime:
        configure_logs(self._settings)
        return await self._stack.enter_async_context(open_runtime(self._settings, self._at))

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        thread = get_event_loop_thread()
        if thread is not None and self._opening is not None:
            thread.run_coroutine(self._stack.aclose())
