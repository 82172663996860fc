"""Errors of processes on this machine. Each text is a sentence for people that says what to do.

LocalError
├── StartFailed
│   └── ServerNotStarted
├── ProcessEnded
├── WaitedTooLong
└── EmulatorUnreachable
"""


class LocalError(Exception):
    """Base class of the errors of this package."""


class StartFailed(LocalError):
    """Raised when a process cannot be started, or is not ready in time."""


class ServerNotStarted(StartFailed):
    """Raised when the embedded Redis server cannot be started."""


class ProcessEnded(LocalError):
    """Raised when a process ended while something waited for it."""


class WaitedTooLong(LocalError):
    """Raised when a condition did not become true in time."""


class EmulatorUnreachable(LocalError):
    """Raised when the emulator does not answer, so that its ledger is lost."""
