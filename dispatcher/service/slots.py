"""Sends of one process that wait for their slots. Urgent ones go first: the others move on by one slot each."""

from collections.abc import Callable
from typing import Protocol

#: seconds of its window that a send has left at least when it has moved on
SPARE_S = 0.1


class WaitingSend(Protocol):
    """A send that was granted a slot, by this machine's own clock (seconds)."""

    at_s: float
    #: it may not leave later
    send_by_s: float


class Slots:
    """All slots that this process was granted and has not used yet. Which of its sends uses which is its own affair."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._bulk: dict[int, WaitingSend] = {}

    def add(self, send: WaitingSend, *, urgent: bool) -> None:
        """A send begins to wait. An urgent one takes the earliest slot that the others can spare.

        Changes ``at_s`` of sends that wait already.
        """
        if urgent:
            self._hurry(send)
        else:
            self._bulk[id(send)] = send

    def remove(self, send: WaitingSend) -> None:
        """It waits no more."""
        self._bulk.pop(id(send), None)

    def _hurry(self, send: WaitingSend) -> None:
        now_s = self._clock()
        others = sorted((one for one in self._bulk.values() if now_s < one.at_s < send.at_s), key=lambda one: one.at_s)
        for one in reversed(others):
            if send.at_s + SPARE_S > one.send_by_s:
                return
            one.at_s, send.at_s = send.at_s, one.at_s
