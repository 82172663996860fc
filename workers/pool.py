"""The threads of a worker process.

Each queue has its own, so that no kind of work waits for another.
"""

import asyncio
import threading
from collections.abc import Iterable, Mapping
from queue import Empty, PriorityQueue
from typing import Any

from dramatiq import Worker
from dramatiq.asyncio import EventLoopThread, set_event_loop_thread

from workers.broker import QueueBroker, QueueConsumer

#: maximum wait of an idle thread, in milliseconds; a message wakes it earlier
_IDLE_MS = 60_000
#: pause between two interruptions of a waiting consumer, in seconds
_INTERRUPT_S = 0.05
#: numbers of threads for the queues other than bulk
URGENT_THREADS, SETTLE_THREADS, RECONCILE_THREADS = 4, 4, 8


def threads_by_queue(bulk: int) -> Mapping[str, int]:
    """Return the number of threads of each queue; ``bulk`` is the setting for bulk work."""
    return {"bulk": bulk, "urgent": URGENT_THREADS, "callbacks": SETTLE_THREADS, "lookups": RECONCILE_THREADS}


class WorkQueue(PriorityQueue[Any]):
    """The messages for the threads of one queue.

    After ``close``, ``get`` no longer blocks.
    """

    def __init__(self) -> None:
        super().__init__()
        self._closed = False

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Return the next message.

        Raises:
            Empty: there is no message, or the queue is closed and ``block`` is True.
        """
        with self.not_empty:
            if block:
                self.not_empty.wait_for(lambda: self._qsize() or self._closed, timeout)
            if not self._qsize() or (block and self._closed):
                raise Empty
            item = self._get()
            self.not_full.notify()
            return item

    def close(self) -> None:
        """Wake all waiting threads.

        The remaining messages are available without blocking only.
        """
        with self.not_empty:
            self._closed = True
            self.not_empty.notify_all()


class QueueWorker(Worker):
    """A dramatiq worker for one queue.

    It takes no more messages than it has threads.
    """

    def __init__(self, broker: QueueBroker, queue: str, threads: int) -> None:
        super().__init__(broker, queues={queue}, worker_threads=threads, worker_timeout=_IDLE_MS)
        self._queue = queue
        self.queue_prefetch = threads
        self.work_queue: WorkQueue = WorkQueue()

    def start(self) -> None:
        """Start the threads, without dramatiq's default middleware, which would run once per queue."""
        for _ in range(self.worker_threads):
            self._add_worker()
        self._add_consumer(self._queue)

    def stop(self, timeout: int = 600_000) -> None:
        """Take no more messages, wait for the running ones, and put the others back."""
        thread = self.consumers[self._queue]
        thread.stop()
        while thread.is_alive():
            if isinstance(thread.consumer, QueueConsumer):
                thread.consumer.interrupt()
            thread.join(_INTERRUPT_S)
        self.work_queue.close()
        super().stop(timeout)


class Pool:
    """The workers of a process, one for each queue."""

    def __init__(self, broker: QueueBroker, threads: Mapping[str, int]) -> None:
        self._workers = [QueueWorker(broker, queue, count) for queue, count in threads.items()]

    def start(self) -> None:
        """Start all workers."""
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Stop all workers and block until their work has ended.

        The caller limits the time.
        """
        _run_all(threading.Thread(target=worker.stop, daemon=True) for worker in self._workers)


def _run_all(threads: Iterable[threading.Thread]) -> None:
    started = list(threads)
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


class _MainLoop(EventLoopThread):
    """Lets dramatiq use the event loop that already runs on the main thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        threading.Thread.__init__(self)
        # actors are never interrupted, so their threads need not check for it
        self.interrupt_check_ival = _IDLE_MS / 1000
        self.loop = loop


def run_actors_here() -> None:
    """Run async actors on the running event loop.

    The threads of the pool wait for them.
    """
    set_event_loop_thread(_MainLoop(asyncio.get_running_loop()))
