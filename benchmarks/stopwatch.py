"""Seconds since it was made."""

import time


class Stopwatch:
    def __init__(self) -> None:
        self._began_s = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began_s
