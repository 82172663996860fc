"""Handles Ctrl-C and SIGTERM in a program that has started other processes."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM until the end of the block.

    An exception between the start of a process and the moment when it is recorded would leave the process running for
    ever. Only the main thread can be interrupted, so the block does nothing in other threads.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    handlers = {
        number: signal.signal(number, lambda n, _: received.append(n)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for interruption in received[:1]:
        signal.raise_signal(interruption)


@contextmanager
def terminated_cleanly() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM too, so that everything that was started is stopped."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set; the signals interrupt nothing."""
    stop = threading.Event()

    def set_stop(_signal: int, _frame: object) -> None:
        stop.set()

    before = {name: signal.signal(name, set_stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
