"""A worker process.

Its event loop on the main thread runs the actors; dramatiq's threads take the messages.

SIGTERM or the end of the supervisor stops the process: it starts no more work, and running calls are completed.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import structlog

from dispatcher.alive import AliveFile
from dispatcher.core.failpoints import FailpointHook, no_failpoint
from dispatcher.core.policy.policy import Policy
from dispatcher.logs import configure_logs, report_failure
from dispatcher.runtime import Runtime, make_queues, open_runtime
from dispatcher.service.errors import StoreError, UnknownLayout
from dispatcher.settings import Settings, SettingsError, load_settings
from workers import identity
from workers.actors import declare
from workers.broker import QueueBroker, make_broker
from workers.identity import Identity
from workers.pool import Pool, run_actors_here, threads_by_queue

if TYPE_CHECKING:
    from workers.exporter import Door

#: how long a stopping process may take beyond the time limit of a POST, to store its outcome
STOP_MARGIN_S = 5.0
#: pause between two attempts to open the runtime while Redis is unavailable, in seconds
_RETRY_S = 0.2

log = structlog.get_logger(__name__)


async def serve(
    lifeline: int | None = None, failpoint: FailpointHook = no_failpoint, door: "Door | None" = None
) -> None:
    """Work until SIGTERM or the end of the supervisor.

    Args:
        lifeline: The reading end of a pipe that closes when the supervisor ends; None: there is no supervisor.
        failpoint: Called at the failpoints, for tests.
        door: Where the process answers for its metrics; None: nowhere.

    Raises:
        SettingsError: the settings are invalid.
        UnknownLayout: the data in Redis has a layout that this version does not know.
    """
    settings = load_settings()
    configure_logs(settings, process_name(identity.own_identity().name))
    stop = asyncio.Event()
    _listen(stop, lifeline)
    beat = asyncio.create_task(alive_file(settings, identity.own_identity().name).beat())
    async with AsyncExitStack() as stack:
        runtime = await _open_when_available(stack, settings, failpoint, stop)
        if runtime is not None:
            threads = threads_by_queue(settings.worker_threads)
            middleware = [await stack.enter_async_context(door.open(runtime, threads))] if door else []
            await _work(runtime, make_broker(make_queues(settings), middleware), threads, stop)
    beat.cancel()


def alive_file(settings: Settings, name: str) -> AliveFile:
    """Return the file that a worker process touches: ``worker-<slot>``."""
    return AliveFile(settings.alive_dir, process_name(name))


def process_name(name: str) -> str:
    """Return what a worker process is called in logs, in metrics and by its file: ``worker-<slot>``."""
    return f"worker-{name.rpartition('/')[2]}"


async def _work(runtime: Runtime, broker: QueueBroker, threads: Mapping[str, int], stop: asyncio.Event) -> None:
    declare(broker, runtime)
    run_actors_here()
    # without a token in advance, the first sends would miss their slots
    preparation = asyncio.create_task(runtime.sinch.prepare())
    pool = Pool(broker, threads)
    pool.start()
    runtime.presence.start()
    await stop.wait()
    await runtime.presence.stop()
    runtime.permits.close()
    _exit_after(stop_s(runtime.policy))
    await asyncio.to_thread(pool.stop)
    preparation.cancel()


async def _open_when_available(
    stack: AsyncExitStack, settings: Settings, failpoint: FailpointHook, stop: asyncio.Event
) -> Runtime | None:
    """Open the runtime as soon as the store is available; return None if the process is stopped before."""
    logged = ""
    while not stop.is_set():
        try:
            who = identity.own_identity()
            opened = open_runtime(settings, failpoint, worker_name=who.name, worker_instance=who.instance)
            return await stack.enter_async_context(opened)
        except UnknownLayout:
            raise
        except StoreError as error:
            if str(error) != logged:
                logged = str(error)
                log.warning("the store cannot be used, trying again", error=logged)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _RETRY_S)
    return None


def _listen(stop: asyncio.Event, lifeline: int | None) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if lifeline is None:
        loop.add_signal_handler(signal.SIGINT, stop.set)
        return
    # Ctrl-C also reaches this process, but the supervisor decides when it stops
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def supervisor_ended() -> None:
        loop.remove_reader(lifeline)
        log.warning("the supervisor is gone, stopping")
        stop.set()

    loop.add_reader(lifeline, supervisor_ended)


def _exit_after(seconds: float) -> None:
    """Exit this process after some time, even if its work has not ended."""

    def exit_process() -> None:
        log.error("the work did not end in time and is broken off")
        os._exit(1)

    timer = threading.Timer(seconds, exit_process)
    timer.daemon = True
    timer.start()


def stop_s(policy: Policy) -> float:
    """Return how long a process may take to stop: the longest call, and storing its outcome."""
    return policy.post_total_s + STOP_MARGIN_S


def main(who: Identity, lifeline: int, failpoint: FailpointHook = no_failpoint, door: "Door | None" = None) -> int:
    """Run a worker process.

    Returns:
        The exit status: 0 after a stop, 1 with a message on standard error if the process cannot start.
    """
    os.environ.update({identity.NAME_VARIABLE: who.name, identity.INSTANCE_VARIABLE: who.instance})
    try:
        asyncio.run(serve(lifeline, failpoint, door))
    except (SettingsError, UnknownLayout) as error:
        report_failure("worker", str(error))
        return 1
    return 0
