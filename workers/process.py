"""What a worker process does: the event loop of its main thread runs the work that dramatiq's threads are sent.

SIGTERM, or the end of the supervisor, stops it: it begins nothing more, and the calls that it began run to their end.
"""

import asyncio
import os
import signal
import sys
import threading
from contextlib import AsyncExitStack, suppress

import structlog

from dispatcher.core.failpoints import FailpointHook
from dispatcher.core.policy import Policy
from dispatcher.logs import configure_logs
from dispatcher.runtime import Runtime, make_queues, open_runtime
from dispatcher.service.errors import StoreError
from dispatcher.settings import Settings, SettingsError, load_settings
from workers import identity
from workers.actors import declare
from workers.broker import make_broker
from workers.identity import Identity
from workers.pool import Pool, run_actors_here, threads_by_queue

#: what a process that stops may take beyond the hard total time of a POST, for what it still has to write
STOP_MARGIN_S = 5.0
#: between two tries to open the runtime while Redis is away
_RETRY_S = 0.2

log = structlog.get_logger(__name__)


async def serve(lifeline: int | None = None, failpoint: FailpointHook | None = None) -> None:
    """Work until SIGTERM, or until the supervisor is gone. Raises SettingsError."""
    settings = load_settings()
    configure_logs(settings)
    stop = asyncio.Event()
    _listen(stop, lifeline)
    async with AsyncExitStack() as stack:
        runtime = await _opened(stack, settings, failpoint, stop)
        if runtime is not None:
            await _work(runtime, stop)


async def _work(runtime: Runtime, stop: asyncio.Event) -> None:
    broker = make_broker(make_queues(runtime.settings))
    declare(broker, runtime)
    run_actors_here()
    # the first sends would miss their slots while they wait for a token
    preparing = asyncio.create_task(runtime.sinch.prepare())
    pool = Pool(broker, threads_by_queue(runtime.settings.worker_threads))
    pool.start()
    runtime.presence.start()
    await stop.wait()
    await runtime.presence.stop()
    runtime.permits.close()
    _end_after(stop_s(runtime.policy))
    await asyncio.to_thread(pool.stop)
    preparing.cancel()


async def _opened(
    stack: AsyncExitStack, settings: Settings, failpoint: FailpointHook | None, stop: asyncio.Event
) -> Runtime | None:
    """The runtime as soon as the store is there; None when the process is stopped before."""
    said = ""
    while not stop.is_set():
        try:
            who = identity.own_identity()
            opened = open_runtime(settings, failpoint, worker_name=who.name, worker_instance=who.instance)
            return await stack.enter_async_context(opened)
        except StoreError as error:
            if str(error) != said:
                said = str(error)
                log.warning("the store cannot be used, trying again", error=said)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _RETRY_S)
    return None


def _listen(stop: asyncio.Event, lifeline: int | None) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if lifeline is None:
        loop.add_signal_handler(signal.SIGINT, stop.set)
        return
    # Ctrl-C goes to everybody at the terminal; the supervisor is the one who says when to stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def lost() -> None:
        loop.remove_reader(lifeline)
        log.warning("the supervisor is gone, stopping")
        stop.set()

    loop.add_reader(lifeline, lost)


def _end_after(seconds: float) -> None:
    """End this process however its work stands: nobody may be left who would do it."""

    def end() -> None:
        log.error("the work did not end in time and is broken off")
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def stop_s(policy: Policy) -> float:
    """How long a process that was asked to stop may take: the calls that it began, and their record."""
    return policy.post_total_s + STOP_MARGIN_S


def main(who: Identity, lifeline: int, failpoint: FailpointHook | None = None) -> int:
    """Exit status 0 after a stop, 1 with a sentence when it cannot start. ``at`` is for tests."""
    os.environ.update({identity.NAME: who.name, identity.INSTANCE: who.instance})
    try:
        asyncio.run(serve(lifeline, failpoint))
    except SettingsError as error:
        print(f"worker: {error}", file=sys.stderr)  # noqa: T201  # whoever starts us reads it
        return 1
    return 0
