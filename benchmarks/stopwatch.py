"""A stopwatch that starts when it is created."""

import time


class Stopwatch:
    """Measures the seconds since it was created."""

    def __init__(self) -> None:
        self._began_s = time.perf_counter()

    @property
    def seconds(self) -> float:
        """The seconds since the stopwatch was created."""
        return time.perf_counter() - self._began_s
