"""The account's write epoch as seen by one process. If it falls, Redis has lost writes (``epoch.lua``)."""

from collections import deque

#: number of seconds for which an observed epoch is kept, one for each second
_SIGHTINGS, _APART_MS = 3600, 1000


class WriteEpoch:
    """The highest epoch that this process has seen, and when it saw each of the last ones."""

    def __init__(self) -> None:
        self.highest = 0
        #: number of losses of writes that this process has noticed; slots granted before the last one must not be used
        self.losses = 0
        self._raised_to: int | None = None
        self._sightings: deque[tuple[int, int]] = deque(maxlen=_SIGHTINGS)

    def answered(self, epoch: int, raised_to: int, now_ms: int) -> None:
        """Record a script's answer: the epoch, the epoch after the last loss of writes, and the server's time."""
        if self._raised_to not in (None, raised_to):
            self.losses += 1
        self._raised_to = raised_to
        self.see(epoch)
        if not self._sightings or now_ms - self._sightings[-1][1] >= _APART_MS:
            self._sightings.append((epoch, now_ms))

    def see(self, epoch: int) -> None:
        """Record an epoch that the account is proven to have had; it is passed to the next script."""
        self.highest = max(self.highest, epoch)

    def seen_ms(self, epoch: int) -> int:
        """Return when the account's epoch was at most this value, in milliseconds since 1970; 0 if unknown."""
        return max((now_ms for seen, now_ms in self._sightings if seen <= epoch), default=0)
