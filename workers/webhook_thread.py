"""The thread of a scheduler process that delivers webhooks.

It has an event loop and connections of its own, so that no endpoint, however slow, delays a lease.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import structlog

from dispatcher.alive import AliveFile
from dispatcher.core.webhooks import MAX_ENDPOINTS
from dispatcher.runtime import open_webhooks
from dispatcher.service.webhook_delivery import WebhookDeliverer
from dispatcher.settings import Settings

#: seconds until it begins again after an error that nobody foresaw
_AGAIN_S = 5.0
#: seconds that a stop waits for it
_STOP_S = 5.0
#: threads that resolve names: a resolution that hangs outlasts its delivery
_RESOLVERS = 3 * MAX_ENDPOINTS

log = structlog.get_logger(__name__)


class WebhookThread:
    """Delivers webhooks until it is stopped."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._alive = AliveFile(settings.alive_dir, "scheduler-webhooks")
        self._thread = Thread(target=self._run, name="webhooks", daemon=True)
        self._stopped = Event()
        self._running: tuple[asyncio.AbstractEventLoop, WebhookDeliverer] | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """Break off what is under way and wait for the end of the thread."""
        self._stopped.set()
        if self._running:
            loop, deliverer = self._running
            loop.call_soon_threadsafe(deliverer.stop)
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                asyncio.run(self._deliver())
            except Exception:
                log.exception("the delivery of webhooks broke off and begins again")
                self._stopped.wait(_AGAIN_S)

    async def _deliver(self) -> None:
        loop = asyncio.get_running_loop()
        beat = asyncio.create_task(self._alive.beat())
        loop.set_default_executor(ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolver"))
        async with open_webhooks(self._settings) as deliverer:
            self._running = loop, deliverer
            try:
                if not self._stopped.is_set():
                    await deliverer.run()
            finally:
                self._running = None
                beat.cancel()
