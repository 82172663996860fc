"""The slots granted to one process. Urgent sends take the earliest ones; the bulk sends move back by one slot each."""

from collections.abc import Callable
from typing import Protocol

#: seconds of its send window that a send must have left after it has moved back
SPARE_S = 0.1


class WaitingSend(Protocol):
    """A send that waits for its slot. Times are seconds by this machine's clock."""

    #: when it may leave
    at_s: float
    #: it may not leave later
    send_by_s: float


class Slots:
    """All slots that this process was granted and has not used yet. Its sends may exchange slots freely."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._bulk: dict[int, WaitingSend] = {}

    def add(self, send: WaitingSend, *, urgent: bool) -> None:
        """Add a send that begins to wait. An urgent one takes the earliest slot that the bulk sends can spare.

        This changes ``at_s`` of the sends that move back.
        """
        if urgent:
            self._move_forward(send)
        else:
            self._bulk[id(send)] = send

    def remove(self, send: WaitingSend) -> None:
        """Remove a send that does not wait any more."""
        self._bulk.pop(id(send), None)

    def _move_forward(self, urgent: WaitingSend) -> None:
        now_s = self._clock()
        earlier = sorted(
            (send for send in self._bulk.values() if now_s < send.at_s < urgent.at_s), key=lambda send: send.at_s
        )
        for send in reversed(earlier):
            if urgent.at_s + SPARE_S > send.send_by_s:
                return
            send.at_s, urgent.at_s = urgent.at_s, send.at_s
