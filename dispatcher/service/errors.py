"""The errors of the use-cases.

ServiceError
├── Missing              there is no such batch, job, document or hold
│   └── Deleted          the batch was deleted
├── ActionNotAllowed     the state does not allow the command
│   ├── WarningsNotAllowed   documents have warnings, and the caller did not allow them
│   └── NumberSuppressed a number is on the do-not-fax list
├── Conflict             an idempotency key was used before with other content
├── Repeated             the same was sent to the same recipients a short while ago
├── TooManyDrafts        no other draft can be created before some are started or cancelled
├── InvalidInput         fields of a request have bad values
├── Unreadable           a body cannot be parsed
├── TooLarge             a body is over its limit
├── Forged               a signature is wrong or has expired
└── WrongCredentials     the provider rejects our project, key or secret

The store's errors (``StoreError``) pass through unchanged. They are exported here for callers that import only the
service; so is ``translated``, for code that uses the same Redis without the store.
"""

from collections.abc import Mapping, Sequence

from dispatcher.core.counted import counted
from dispatcher.store.documents import DocumentWarning
from dispatcher.store.errors import (
    StoreError,
    StoreFull,
    StoreRefuses,
    StoreUnavailable,
    StoreUnsafe,
    UnknownLayout,
    UnreadableData,
    WrongKeyType,
    translated,
)

__all__ = [
    "ActionNotAllowed",
    "Conflict",
    "Deleted",
    "Forged",
    "InvalidInput",
    "Missing",
    "NumberSuppressed",
    "Repeated",
    "ServiceError",
    "StoreError",
    "StoreFull",
    "StoreRefuses",
    "StoreUnavailable",
    "StoreUnsafe",
    "TooLarge",
    "TooManyDrafts",
    "UnknownLayout",
    "Unreadable",
    "UnreadableData",
    "WrongCredentials",
    "WrongKeyType",
    "not_a_cursor",
    "translated",
]


class ServiceError(Exception):
    """Raised when a use-case cannot be carried out. The text is a sentence for the caller."""


class Missing(ServiceError):
    """Raised when nothing has the given id."""


class Deleted(Missing):
    """Raised when a batch was deleted, as long as that is known."""


class ActionNotAllowed(ServiceError):
    """Raised when the present state does not allow the command. Nothing was changed."""


class WarningsNotAllowed(ActionNotAllowed):
    """Raised when documents have warnings and the caller has not allowed them. Nothing was changed.

    ``warnings`` are pairs of a document's position and a warning of it.
    """

    def __init__(self, warnings: Sequence[tuple[int, DocumentWarning]]) -> None:
        super().__init__(
            f"the documents have {counted(len(warnings), 'warning')}: look at their pages, then send them nevertheless "
            "with allow_warnings (--allow-warnings), or upload better ones"
        )
        self.warnings = tuple(warnings)


class NumberSuppressed(ActionNotAllowed):
    """Raised when a number is on the do-not-fax list. Nothing was sent."""


class Conflict(ServiceError):
    """Raised when an idempotency key was used before with other content. Nothing was changed."""


class Repeated(ServiceError):
    """Raised when a start would send again what ``batch`` has sent to ``shared`` of its recipients lately.

    Nothing was started.
    """

    def __init__(self, sentence: str, *, batch: str, shared: int) -> None:
        super().__init__(sentence)
        self.batch = batch
        self.shared = shared


class TooManyDrafts(ServiceError):
    """Raised when there are as many open drafts as the policy allows. Nothing was created."""


class InvalidInput(ServiceError):
    """Raised when fields have bad values. ``faults`` maps each field's name to a sentence that says what to do."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in faults.items()))
        self.faults = dict(faults)


def not_a_cursor() -> InvalidInput:
    """Return the error for an ``after`` that is not of a page of this list."""
    return InvalidInput({"after": "this is no value of `next`: pass on the one of the page before"})


class Unreadable(ServiceError):
    """Raised when a body cannot be parsed, such as a document that is not a PDF."""


class TooLarge(ServiceError):
    """Raised when a body is over its limit. Nothing of it was stored."""


class Forged(ServiceError):
    """Raised when the signature of a URL is wrong or has expired."""


class WrongCredentials(ServiceError):
    """Raised when the provider rejects our project, key or secret."""
