"""The runtime of a worker process, opened on its event loop and closed when the process stops."""

import asyncio
from contextlib import AsyncExitStack, suppress

import structlog
from dramatiq import Broker, Worker
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.broker import MessageProxy
from dramatiq.middleware import Middleware

from dispatcher.core.points import At
from dispatcher.logs import configure_logs
from dispatcher.runtime import Runtime, open_runtime
from dispatcher.service.errors import StoreError
from dispatcher.settings import Settings, SettingsError

log = structlog.get_logger(__name__)


class Parts(Middleware):
    """Hands actors the runtime. Listed after AsyncIO, so that it is closed while the loop still runs."""

    def __init__(self, settings: Settings, at: At | None = None) -> None:
        self._settings = settings
        self._at = at
        self._stack = AsyncExitStack()
        self._opening: asyncio.Task[Runtime] | None = None

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Get ready at once, so that the first sends do not miss their slots."""
        thread = get_event_loop_thread()
        if thread is not None:
            asyncio.run_coroutine_threadsafe(self._prepare(), thread.loop)

    async def _prepare(self) -> None:
        # what fails here is told, and tried again, with the first message
        with suppress(StoreError, SettingsError):
            await (await self.runtime()).sinch.prepare()

    async def runtime(self) -> Runtime:
        """The one of this process; an opening that failed is tried again by the next message."""
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> Runtime:
        configure_logs(self._settings)
        return await self._stack.enter_async_context(open_runtime(self._settings, self._at))

    @property
    def actor_options(self) -> set[str]:
        """dramatiq's worker heeds the option; only its Retries, which we do not use, would declare it."""
        return {"throws"}

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: object = None, exception: BaseException | None = None
    ) -> None:
        """One line for what Redis kept from being done: it comes due again."""
        if isinstance(exception, StoreError):
            log.warning("the store does not answer, it is done later", actor=message.actor_name, error=str(exception))

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        thread = get_event_loop_thread()
        if thread is not None and self._opening is not None:
            thread.run_coroutine(self._stack.aclose())
