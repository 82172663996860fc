"""The dramatiq broker on Redis queues.

Messages contain IDs only and may be lost, late or duplicated: work that is not done becomes due again in the store. So
there are no retries, delays, time limits or acknowledgements. A consumer blocks on its queue and reconnects as soon as
Redis is available again.
"""

import threading
from collections.abc import Iterable

import dramatiq
import structlog
from dramatiq import Broker, Consumer, Message, MessageProxy
from dramatiq.errors import DecodeError
from dramatiq.middleware import Middleware

from dispatcher.runtime import Queues, Waiter
from dispatcher.service.errors import StoreError

#: pause between two attempts to reach Redis, in seconds
RECONNECT_S = 0.2
#: how often a consumer without capacity checks whether it was stopped, in seconds
_STOP_CHECK_S = 1.0

log = structlog.get_logger(__name__)


class QueueBroker(Broker):
    """A broker that sends and consumes messages through ``queues``."""

    def __init__(self, queues: Queues, middleware: Iterable[Middleware] = ()) -> None:
        super().__init__(middleware=[StoreErrors(), *middleware])
        self._message_queues = queues

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue, without a delay queue."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = None
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: "Message[object]", *, delay: int | None = None) -> "Message[object]":
        """Send a message.

        Raises:
            StoreError: the broker is not available.
            ValueError: the message has a delay; later work belongs in the store.
        """
        if delay is not None:
            raise ValueError("messages are never delayed")
        self.emit_before("enqueue", message, delay)
        self._message_queues.push(message.queue_name, [message.encode()])
        self.emit_after("enqueue", message, delay)
        return message

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 0) -> "QueueConsumer":
        """Create a consumer that takes at most ``prefetch`` messages at a time."""
        return QueueConsumer(self._message_queues, queue_name, prefetch)


class QueueConsumer(Consumer):
    """Takes messages from a queue one at a time, while fewer than ``prefetch`` are being processed."""

    def __init__(self, queues: Queues, queue: str, prefetch: int) -> None:
        self._queues = queues
        self._queue = queue
        self._waiter: Waiter = queues.waiter(queue)
        self._capacity = threading.Semaphore(prefetch)
        self._stopped = threading.Event()
        self._unavailable = False

    def __next__(self) -> MessageProxy | None:
        """Return the next message, or None from time to time, so that dramatiq can check whether it was stopped."""
        if not self._capacity.acquire(timeout=_STOP_CHECK_S):
            return None
        message = None if self._stopped.is_set() else self._pop()
        if message is None:
            self._capacity.release()
        return message

    def _pop(self) -> MessageProxy | None:
        try:
            popped = self._waiter.pop()
        except StoreError as error:
            self._log_unavailable(error)
            self._stopped.wait(RECONNECT_S)
            return None
        self._unavailable = False
        try:
            return MessageProxy(Message.decode(popped)) if popped else None
        except (DecodeError, TypeError):
            log.error("a message that cannot be read is dropped", queue=self._queue)
            return None

    def _log_unavailable(self, error: StoreError) -> None:
        """Log that the broker is unavailable, once until it is available again."""
        if not self._unavailable:
            log.warning("no messages: the broker does not answer", queue=self._queue, error=str(error))
        self._unavailable = True

    def ack(self, message: MessageProxy) -> None:
        """Release the capacity that a processed message used."""
        self._capacity.release()

    #: failed work becomes due again in the store
    nack = ack

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Put messages back whose processing has not started."""
        unread = [message.encode() for message in messages]
        try:
            self._queues.push_front(self._queue, unread)
        except StoreError as error:
            log.warning("messages could not be put back, their work comes due again", error=str(error))

    def interrupt(self) -> None:
        """Interrupt the wait for a message from another thread.

        Repeat the call until the waiting thread has ended.
        """
        self._stopped.set()
        try:
            self._waiter.interrupt()
        except StoreError:
            return  # the waiting thread gets the same error

    def close(self) -> None:
        """Close the connection."""
        self._waiter.close()


class StoreErrors(Middleware):
    """Logs an unavailable store in one line, where dramatiq would log a stack trace."""

    @property
    def actor_options(self) -> set[str]:
        """Declare the option ``throws``, which dramatiq's worker uses and only its middleware Retries would declare."""
        return {"throws"}

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: object = None, exception: BaseException | None = None
    ) -> None:
        """Log work that failed because the store was unavailable; it becomes due again."""
        if isinstance(exception, StoreError):
            log.warning("the store does not answer, it is done later", actor=message.actor_name, error=str(exception))


def make_broker(queues: Queues, middleware: Iterable[Middleware] = ()) -> QueueBroker:
    """Create a broker and make it the default broker of the process."""
    broker = QueueBroker(queues, middleware)
    dramatiq.set_broker(broker)
    return broker
