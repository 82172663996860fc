"""Deletes batches that have ended, documents that none needs, and old events: for people, and by the policy.

A deleted batch is gone for everybody at once. Its keys are removed by the scheduler in bounded steps, so that sends do
not wait for them, whatever the batch weighs.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from dispatcher.core.batch import Command, CommandRefusal
from dispatcher.core.counted import counted
from dispatcher.core.policy.policy import Policy
from dispatcher.service.documents import find_document
from dispatcher.service.errors import ActionNotAllowed, Missing
from dispatcher.store.decoding import left_out
from dispatcher.store.deletions import OldNames
from dispatcher.store.errors import UnreadableData
from dispatcher.store.protocol import DocumentDeletionWord
from dispatcher.store.store import Store

#: maximum steps of one turn, and seconds after which a turn makes no other
_MAX_STEPS, _TURN_S = 20, 0.01
#: seconds between two looks for what the policy deletes
_LOOK_S = 10.0

log = structlog.get_logger(__name__)


async def delete_batch(store: Store, batch: str) -> bool:
    """Delete a batch that has ended. Returns False if there is none (any more). Raises ActionNotAllowed if it lives."""
    # an id becomes part of a key. A batch whose data is damaged can be deleted too
    may_exist = batch.isascii() and batch.isalnum() and not await store.deletions.deleted([batch])
    answer = await store.batches.command(batch, Command.DELETE) if may_exist else None
    if answer is None:
        await store.confirm()
        return False
    match answer.refusal:
        case CommandRefusal.LIVE:
            raise ActionNotAllowed(
                f"batch {batch} has jobs that have not ended: cancel it first, and delete it when its calls have ended"
            )
        case CommandRefusal.NOT_ALLOWED:
            raise ActionNotAllowed(f"batch {batch} is {answer.control.value}: cancel it first, then delete it")
    return True


async def delete_document(store: Store, sha256: str) -> bool:
    """Delete a document. Returns False if there is none (any more).

    Raises ActionNotAllowed if batches that have not ended need it.
    """
    try:
        await find_document(store, sha256)
    except Missing:
        await store.confirm()
        return False
    answer = await store.documents.delete(sha256)
    if answer.word is DocumentDeletionWord.NEEDED:
        names = ", ".join(answer.batches) + (", ..." if answer.needed_by > len(answer.batches) else "")
        raise ActionNotAllowed(
            f"{counted(answer.needed_by, 'batch', 'batches')} that did not end need this document: {names}. Delete it "
            "when they have ended, or cancel them"
        )
    return answer.word is DocumentDeletionWord.DELETED


@dataclass(slots=True, kw_only=True)
class _Search:
    """Where a search for old names goes on, and when it begins again."""

    first: int = 0
    next_s: float = -math.inf


class Retention:
    """Deletes what the policy keeps no longer, and removes the keys of deleted batches. Several may run."""

    def __init__(self, store: Store, policy: Policy, clock: Callable[[], float]) -> None:
        """Create it. ``clock`` is a steady clock in seconds."""
        self._store = store
        self._policy = policy
        self._clock = clock
        self._batches = _Search()
        self._documents = _Search()
        self._forget_s = self._events_s = -math.inf

    async def remove(self) -> None:
        """Remove keys of deleted batches: at most so many that nothing else has to wait."""
        until_s = self._clock() + _TURN_S
        for _ in range(_MAX_STEPS):
            if not await self._store.deletions.under_way():
                return
            await self._store.deletions.remove_rows()
            if self._clock() >= until_s:
                return

    async def apply(self, now_ms: int) -> None:
        """Delete some of what is older than the policy keeps, and forget deleted batches after some time."""
        if self._clock() >= self._forget_s and not await self._store.deletions.forget(now_ms):
            self._forget_s = self._clock() + _LOOK_S
        await self._delete_batches(now_ms)
        await self._delete_documents(now_ms)
        await self._remove_events(now_ms)

    async def _delete_batches(self, now_ms: int) -> None:
        if self._policy.keep_batches_s is None or self._clock() < self._batches.next_s:
            return
        kept_ms = round(self._policy.keep_batches_s * 1000)

        async def delete(batch: str) -> bool:
            try:
                answer = await self._store.batches.command(batch, Command.DELETE, ended_for_ms=kept_ms)
            except UnreadableData as error:
                left_out(error)
                return False
            return answer is not None and answer.done

        old = await self._store.deletions.ended_before(now_ms - kept_ms, self._batches.first)
        if deleted := await self._go_through(old, self._batches, delete):
            log.info("batches were deleted: they ended longer ago than retention.batches", batches=deleted)

    async def _delete_documents(self, now_ms: int) -> None:
        if self._policy.keep_documents_s is None or self._clock() < self._documents.next_s:
            return
        kept_ms = round(self._policy.keep_documents_s * 1000)

        async def delete(sha256: str) -> bool:
            answer = await self._store.documents.delete(sha256, unused_ms=kept_ms)
            return answer.word is DocumentDeletionWord.DELETED

        old = await self._store.deletions.unused_documents(now_ms - kept_ms, self._documents.first)
        if deleted := await self._go_through(old, self._documents, delete):
            log.info("documents were deleted: nothing needed them for retention.documents", documents=deleted)

    async def _remove_events(self, now_ms: int) -> None:
        if self._clock() < self._events_s:
            return
        if not await self._store.events.remove_before(now_ms - round(self._policy.keep_events_s * 1000)):
            self._events_s = self._clock() + _LOOK_S

    async def _go_through(self, old: OldNames, search: _Search, delete: Callable[[str], Awaitable[bool]]) -> int:
        """Delete what is due, as far as a turn goes. The next turn goes on from there; at the end, after some time."""
        until_s, steps, kept, deleted = self._clock() + _TURN_S, 0, 0, 0
        for name in old.names:
            if name in old.due:
                if steps == _MAX_STEPS or self._clock() > until_s:
                    break
                steps += 1
                deleted += (is_deleted := await delete(name))
                if is_deleted:
                    continue
            kept += 1
        # what was deleted has left the order
        search.first += kept
        if old.last and kept + deleted == len(old.names):
            search.first, search.next_s = 0, self._clock() + _LOOK_S
        return deleted
