"""The account's write epoch as one process has seen it. It shows that Redis has lost writes (``epoch.lua``)."""

from collections import deque

#: a sighting is kept for each of so many seconds
_SIGHTINGS, _APART_MS = 3600, 1000


class WriteEpoch:
    """The highest epoch that this process has seen, and when it saw which. It begins with nothing."""

    def __init__(self) -> None:
        self.highest = 0
        #: how often this process has learned that writes were lost: what was granted before may not be used
        self.losses = 0
        self._raised_to: int | None = None
        self._sightings: deque[tuple[int, int]] = deque(maxlen=_SIGHTINGS)

    def answered(self, epoch: int, raised_to: int, now_ms: int) -> None:
        """A script told the epoch, what it was raised to when writes were lost last, and its time."""
        if self._raised_to not in (None, raised_to):
            self.losses += 1
        self._raised_to = raised_to
        self.see(epoch)
        if not self._sightings or now_ms - self._sightings[-1][1] >= _APART_MS:
            self._sightings.append((epoch, now_ms))

    def see(self, epoch: int) -> None:
        """Somebody proves that the account had this epoch: the next script is given it."""
        self.highest = max(self.highest, epoch)

    def seen_ms(self, epoch: int) -> int:
        """When the account's epoch was that or lower, as far as this process knows (ms); 0 when it does not."""
        return max((now_ms for seen, now_ms in self._sightings if seen <= epoch), default=0)
