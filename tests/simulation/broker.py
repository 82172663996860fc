"""The simulated broker between schedulers and workers. Messages may be lost, doubled and late."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from random import Random
from typing import Any

from dispatcher.store.queues import MAX_MESSAGES
from tests.simulation.faults import Fault, FaultSchedule

QUEUES = ("urgent", "bulk", "callbacks", "lookups")


@dataclass(frozen=True, slots=True)
class Message:
    """A message to an actor."""

    queue: str
    actor: str
    arguments: tuple[Any, ...]


class Broker:
    """Queues of messages. ``take`` passes a message to a free worker, and returns whether there was one."""

    def __init__(self, schedule: FaultSchedule, seed: int, log: Callable[..., None]) -> None:
        self.take: Callable[[Message], bool] = lambda message: False
        self.counts: Counter[str] = Counter()
        self._queues: dict[str, deque[Message]] = {queue: deque() for queue in QUEUES}
        self._schedule = schedule
        self._rng = Random(f"broker {seed}")
        self._log = log

    @property
    def size(self) -> int:
        """The number of queued messages."""
        return sum(map(len, self._queues.values()))

    def lengths(self, queues: Sequence[str]) -> Mapping[str, int]:
        """Return the number of queued messages by queue."""
        return {queue: len(self._queues[queue]) for queue in queues}

    def send(self, message: Message) -> None:
        """Send a message, which may be lost, doubled or late."""
        if self._draw_fault(Fault.MESSAGE_LOST, message):
            return
        if self._draw_fault(Fault.MESSAGE_DOUBLED, message):
            self._schedule_arrival(self._rng.choice((0.0, 0.5, 20.0)), message)
        late = self._draw_fault(Fault.MESSAGE_LATE, message)
        self._schedule_arrival(self._rng.choice((0.5, 3.0, 40.0)) if late else 0.001, message)

    def deliver_messages(self) -> None:
        """Pass messages to workers as long as one is free."""
        for queue in self._queues.values():
            while queue and self.take(queue[0]):
                queue.popleft()

    def _draw_fault(self, fault: Fault, message: Message) -> bool:
        occurs = self._schedule.occurs(fault)
        if occurs:
            self.counts[str(fault)] += 1
            self._log("broker", fault, message.actor, *message.arguments)
        return occurs

    def _schedule_arrival(self, seconds: float, message: Message) -> None:
        asyncio.get_running_loop().call_later(seconds, self._arrive, message, context=Context())

    def _arrive(self, message: Message) -> None:
        queue = self._queues[message.queue]
        queue.append(message)
        if len(queue) > MAX_MESSAGES:
            queue.popleft()
        self.deliver_messages()


@dataclass(frozen=True, slots=True)
class Sender:
    """An actor with the interface that the scheduler uses."""

    broker: Broker
    queue: str
    actor: str

    @property
    def queue_name(self) -> str:
        return self.queue

    def send(self, *arguments: Any) -> None:
        self.broker.send(Message(self.queue, self.actor, arguments))
