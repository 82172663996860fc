"""Names that bulkfax gives and names that callers give, kept apart.

A caller's key is any text. It is never a part of a stored name: its digest is, behind a word that says what the name is
for. So no key equals a name of bulkfax, a key of another use, or two keys that are joined in another way.
"""

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum


class KeyUse(StrEnum):
    """What an idempotency key is used for. The same key in two uses is two keys."""

    #: ``POST /v1/batches``
    BATCH = "batch"
    #: ``POST /v1/batches/{batch}/rerun``
    RERUN = "rerun"
    #: ``POST /v1/faxes``
    FAX = "fax"
    #: ``POST /v1/webhook-endpoints``
    WEBHOOK = "webhook"
    #: a chunk of a list, ``POST /v1/batches/{batch}/recipients``
    CHUNK = "chunk"


class UploadKind(StrEnum):
    """Whose list an upload is."""

    #: a caller's, named by an idempotency key
    KEY = "key"
    #: the rows of the parent of a rerun
    RERUN = "rerun"
    #: the recipient of a single fax
    FAX = "fax"


@dataclass(frozen=True, slots=True)
class UploadName:
    """The name of an upload within its batch. Only uploads of the kind ``KEY`` have a key."""

    kind: UploadKind
    key: str = ""

    @classmethod
    def of_key(cls, key: str) -> "UploadName":
        """Return the name of the upload that a caller names by an idempotency key."""
        return cls(UploadKind.KEY, key)

    def __str__(self) -> str:
        """The name as it is stored."""
        return f"{self.kind.value}:{digest(self.key)}" if self.kind is UploadKind.KEY else self.kind.value


def digest(*parts: str | int) -> str:
    """Return the SHA-256 (hex) of a sequence of texts and numbers; different sequences have different digests."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
