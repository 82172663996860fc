"""What can go wrong in a use-case.

ServiceError
├── Missing              no such batch, job, document or hold
├── NotAllowed           the command does not fit the state
├── Conflict             an idempotency key came again with other content
├── Invalid              fields of a request that cannot be used
├── Unreadable           a body that cannot be understood
├── TooLarge             a body over its limit
├── Forged               a signature that is not ours, or has expired
└── WrongCredentials     the provider refuses our key

The store's own errors (``StoreError``) pass through unchanged; they are named here for callers that only know
the service, and so is ``translated``, for those who share its Redis.
"""

from collections.abc import Mapping

from dispatcher.store.errors import (
    StoreError,
    StoreFull,
    StoreRefuses,
    StoreUnavailable,
    StoreUnsafe,
    UnknownLayout,
    translated,
)

__all__ = [
    "ActionNotAllowed",
    "Conflict",
    "Forged",
    "InvalidInput",
    "Missing",
    "ServiceError",
    "StoreError",
    "StoreFull",
    "StoreRefuses",
    "StoreUnavailable",
    "StoreUnsafe",
    "TooLarge",
    "UnknownLayout",
    "Unreadable",
    "WrongCredentials",
    "translated",
]


class ServiceError(Exception):
    """A use-case could not be carried out. The text is a sentence for the person who asked."""


class Missing(ServiceError):
    """Nothing has the id that was asked for."""


class ActionNotAllowed(ServiceError):
    """The command is not allowed in the present state; nothing was changed."""


class Conflict(ServiceError):
    """An idempotency key was used before, with other content; nothing was changed."""


class InvalidInput(ServiceError):
    """Fields that cannot be used. ``faults`` maps the field's name to a sentence that says what to do."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in faults.items()))
        self.faults = dict(faults)


class Unreadable(ServiceError):
    """A body that cannot be understood, such as a document that is no PDF."""


class TooLarge(ServiceError):
    """A body over its limit; nothing of it was kept."""


class Forged(ServiceError):
    """The signature of an address is not ours, or its time has run out."""


class WrongCredentials(ServiceError):
    """The provider refuses our project, key or secret."""
