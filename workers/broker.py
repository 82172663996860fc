"""dramatiq's broker: it runs the work and holds no truth.

Messages carry ids only and may be lost, late or doubled without harm. So there are no retries, no delays, no time
limits and no acknowledgements: what is not done comes due again in the store. Waiting for messages is ours: a consumer
blocks on its queue, and connects anew at once when Redis comes back.
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

#: between two tries to reach Redis
RECONNECT_S = 0.2
#: how often a consumer that has room for no more looks whether it was stopped
_LOOK_S = 1.0

log = structlog.get_logger(__name__)


class QueueBroker(Broker):
    """Sends and consumes messages through ``queues``."""

    def __init__(self, queues: Queues) -> None:
        super().__init__(middleware=[StoreErrors()])
        self._messages = queues

    def declare_queue(self, queue_name: str) -> None:
        """No delay queue goes with it."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = None
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: "Message[object]", *, delay: int | None = None) -> "Message[object]":
        """Raises StoreError, and ValueError for a delay: what is later is due in the store."""
        if delay is not None:
            raise ValueError("messages are never delayed")
        self.emit_before("enqueue", message, delay)
        self._messages.push(message.queue_name, [message.encode()])
        self.emit_after("enqueue", message, delay)
        return message

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 0) -> "QueueConsumer":
        """At most ``prefetch`` messages at a time are with the consumer or worked on."""
        return QueueConsumer(self._messages, queue_name, prefetch)


class QueueConsumer(Consumer):
    """Takes messages only while there is room for them, one at a time."""

    def __init__(self, queues: Queues, queue: str, prefetch: int) -> None:
        self._queues = queues
        self._queue = queue
        self._waiter: Waiter = queues.waiter(queue)
        self._room = threading.Semaphore(prefetch)
        self._stopped = threading.Event()
        self._away = False

    def __next__(self) -> MessageProxy | None:
        """The next message; None now and then, so that dramatiq sees whether it was stopped."""
        if not self._room.acquire(timeout=_LOOK_S):
            return None
        message = None if self._stopped.is_set() else self._pop()
        if message is None:
            self._room.release()
        return message

    def _pop(self) -> MessageProxy | None:
        try:
            popped = self._waiter.pop()
        except StoreError as error:
            self._say_away(error)
            self._stopped.wait(RECONNECT_S)
            return None
        self._away = False
        try:
            return MessageProxy(Message.decode(popped)) if popped else None
        except (DecodeError, TypeError):
            log.error("a message that cannot be read is dropped", queue=self._queue)
            return None

    def _say_away(self, error: StoreError) -> None:
        """Once for each time that it is away."""
        if not self._away:
            log.warning("no messages: the broker does not answer", queue=self._queue, error=str(error))
        self._away = True

    def ack(self, message: MessageProxy) -> None:
        """It was worked on: there is room for another."""
        self._room.release()

    #: what failed comes due again
    nack = ack

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Put back what was not begun."""
        unread = [message.encode() for message in messages]
        try:
            self._queues.push_front(self._queue, unread)
        except StoreError as error:
            log.warning("messages could not be put back, their work comes due again", error=str(error))

    def interrupt(self) -> None:
        """Stop waiting, from another thread. To be repeated until that thread has seen it."""
        self._stopped.set()
        try:
            self._waiter.interrupt()
        except StoreError:
            return  # then the waiting thread has an error, too

    def close(self) -> None:
        self._waiter.close()


class StoreErrors(Middleware):
    """A store that is away is no surprise: one line of it, where dramatiq would write a stack trace."""

    @property
    def actor_options(self) -> set[str]:
        """dramatiq's worker heeds the option; only its Retries, which we do not use, would declare it."""
        return {"throws"}

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: object = None, exception: BaseException | None = None
    ) -> None:
        """What Redis kept from being done comes due again."""
        if isinstance(exception, StoreError):
            log.warning("the store does not answer, it is done later", actor=message.actor_name, error=str(exception))


def make_broker(queues: Queues) -> QueueBroker:
    """A broker on those queues, set as the process's own."""
    broker = QueueBroker(queues)
    dramatiq.set_broker(broker)
    return broker
