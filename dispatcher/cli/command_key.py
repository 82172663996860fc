"""The idempotency key of ``bulkfax send``, derived from what is sent to whom.

The same command again finds the batch of the first one instead of creating another. A batch that ended before anything
was sent does not count: its id leads to the next key.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from dispatcher.client import Batch, Client, ClientError, NewBatch

#: batches of the same command that ended unsent before nobody looks for another key
_TRIES = 100


def create_or_find(client: Client, new: NewBatch, recipients: Path, columns: Mapping[str, object]) -> tuple[Batch, str]:
    """Create the batch of a command, or find the one that it created before. Returns its idempotency key, too.

    ``columns`` is what the command says about the columns of the list.
    """
    with recipients.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    key = _digest(json.dumps([new.sent(), dict(columns)], sort_keys=True), content)
    for _ in range(_TRIES):
        batch = client.create_batch(new, key=key)
        if not _ended_unsent(batch):
            return batch, key
        key = _digest(key, batch.id)
    raise ClientError("this command was cancelled too often: name a --key of your own")


def _ended_unsent(batch: Batch) -> bool:
    return batch.state in ("cancelled", "expired") and not batch.attempts


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
