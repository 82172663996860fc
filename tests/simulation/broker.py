"""Messages from schedulers to workers, in place of dramatiq: they may be lost, doubled and late."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from random import Random
from typing import Any

from dispatcher.store.queues import MOST
from tests.simulation.faults import Fault, Weather

QUEUES = ("urgent", "bulk", "news", "looks")


@dataclass(frozen=True, slots=True)
class Message:
    queue: str
    actor: str
    arguments: tuple[Any, ...]


class Broker:
    """``take`` gives a message to a worker with room, and says whether there was one."""

    def __init__(self, weather: Weather, seed: int, log: Callable[..., None]) -> None:
        self.take: Callable[[Message], bool] = lambda message: False
        self.counts: Counter[str] = Counter()
        self._queues: dict[str, deque[Message]] = {queue: deque() for queue in QUEUES}
        self._weather = weather
        self._chance = Random(f"broker {seed}")
        self._log = log

    @property
    def size(self) -> int:
        return sum(map(len, self._queues.values()))

    def lengths(self, queues: Sequence[str]) -> Mapping[str, int]:
        """Messages that nobody has taken yet, by queue."""
        return {queue: len(self._queues[queue]) for queue in queues}

    def send(self, message: Message) -> None:
        if self._strikes(Fault.MESSAGE_LOST, message):
            return
        if self._strikes(Fault.MESSAGE_DOUBLED, message):
            self._arrive_in(self._chance.choice((0.0, 0.5, 20.0)), message)
        late = self._strikes(Fault.MESSAGE_LATE, message)
        self._arrive_in(self._chance.choice((0.5, 3.0, 40.0)) if late else 0.001, message)

    def hand_out(self) -> None:
        """Give away what workers have room for."""
        for queue in self._queues.values():
            while queue and self.take(queue[0]):
                queue.popleft()

    def _strikes(self, fault: Fault, message: Message) -> bool:
        struck = self._weather.strikes(fault)
        if struck:
            self.counts[str(fault)] += 1
            self._log("broker", fault, message.actor, *message.arguments)
        return struck

    def _arrive_in(self, seconds: float, message: Message) -> None:
        asyncio.get_running_loop().call_later(seconds, self._arrive, message, context=Context())

    def _arrive(self, message: Message) -> None:
        queue = self._queues[message.queue]
        queue.append(message)
        if len(queue) > MOST:
            queue.popleft()
        self.hand_out()


@dataclass(frozen=True, slots=True)
class Sender:
    """One actor, as the scheduler sees it."""

    broker: Broker
    queue: str
    actor: str

    @property
    def queue_name(self) -> str:
        return self.queue

    def send(self, *arguments: Any) -> None:
        self.broker.send(Message(self.queue, self.actor, arguments))
