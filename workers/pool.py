"""The threads of a worker process: some for each queue, so that no kind of work waits for the threads of another."""

import asyncio
import threading
from collections.abc import Iterable, Mapping
from queue import Empty, PriorityQueue
from typing import Any

from dramatiq import Worker
from dramatiq.asyncio import EventLoopThread, set_event_loop_thread

from workers.broker import QueueBroker, QueueConsumer

#: threads with nothing to do are woken by what comes; this only bounds how long a wait lasts
_IDLE_MS = 60_000
#: between two words to a consumer that it is to stop waiting
_INTERRUPT_S = 0.05
#: threads for what is not bulk work
URGENT_THREADS, SETTLE_THREADS, LOOK_THREADS = 4, 4, 8


def threads_by_queue(bulk: int) -> Mapping[str, int]:
    """``bulk`` is the setting; urgent work, news and looks have threads of their own beside it."""
    return {"bulk": bulk, "urgent": URGENT_THREADS, "news": SETTLE_THREADS, "looks": LOOK_THREADS}


class WorkQueue(PriorityQueue[Any]):
    """Messages for the threads of one queue. Closed, it gives nothing more to those who would wait."""

    def __init__(self) -> None:
        super().__init__()
        self._closed = False

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Raises Empty when there is nothing, or when it was closed while waiting or before."""
        with self.not_empty:
            if block:
                self.not_empty.wait_for(lambda: self._qsize() or self._closed, timeout)
            if not self._qsize() or (block and self._closed):
                raise Empty
            item = self._get()
            self.not_full.notify()
            return item

    def close(self) -> None:
        """What is in it stays for those who do not wait."""
        with self.not_empty:
            self._closed = True
            self.not_empty.notify_all()


class QueueWorker(Worker):
    """dramatiq's worker for one queue. Takes no more messages than it has threads."""

    def __init__(self, broker: QueueBroker, queue: str, threads: int) -> None:
        super().__init__(broker, queues={queue}, worker_threads=threads, worker_timeout=_IDLE_MS)
        self._queue = queue
        self.queue_prefetch = threads
        self.work_queue: WorkQueue = WorkQueue()

    def start(self) -> None:
        """Without dramatiq's own middleware, which would be there once for each queue."""
        for _ in range(self.worker_threads):
            self._add_worker()
        self._add_consumer(self._queue)

    def stop(self, timeout: int = 600_000) -> None:
        """Take nothing more, let what runs come to its end, put back what was not begun."""
        thread = self.consumers[self._queue]
        thread.stop()
        while thread.is_alive():
            if isinstance(thread.consumer, QueueConsumer):
                thread.consumer.interrupt()
            thread.join(_INTERRUPT_S)
        self.work_queue.close()
        super().stop(timeout)


class Pool:
    """One worker for each queue."""

    def __init__(self, broker: QueueBroker, threads: Mapping[str, int]) -> None:
        self._workers = [QueueWorker(broker, queue, count) for queue, count in threads.items()]

    def start(self) -> None:
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Blocks until all work has ended: the caller bounds how long that may take."""
        _all_at_once(threading.Thread(target=worker.stop, daemon=True) for worker in self._workers)


def _all_at_once(threads: Iterable[threading.Thread]) -> None:
    started = list(threads)
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


class _MainLoop(EventLoopThread):
    """dramatiq's way to an event loop that runs already, on the main thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        threading.Thread.__init__(self)
        # nobody interrupts an actor: its thread need not look for it
        self.interrupt_check_ival = _IDLE_MS / 1000
        self.loop = loop


def run_actors_here() -> None:
    """Async actors run on the running event loop; their threads wait for them."""
    set_event_loop_thread(_MainLoop(asyncio.get_running_loop()))
