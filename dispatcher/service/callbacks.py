"""Receives the provider's callbacks: checks the signature, drops the document, and stores the event in the inbox.

A callback is acknowledged only after it is stored.
"""

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum

import structlog

from dispatcher.core.failpoints import Failpoint, FailpointHook, no_failpoint
from dispatcher.core.settlement.callbacks import CallbackProof, shown_labels
from dispatcher.service.batching import Batcher
from dispatcher.service.errors import Forged, Unreadable
from dispatcher.service.inbox_consumer import encode
from dispatcher.sinch.callback_url import is_genuine
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent, CallbackReader
from dispatcher.sinch.errors import CallbackError
from dispatcher.store.store import Store

log = structlog.get_logger(__name__)

#: counter of callbacks by result
CALLBACKS = "callbacks"


class CallbackResult(StrEnum):
    """What became of a request to the URL of a callback."""

    #: stored, and settled later
    STORED = "stored"
    #: it is about nothing that bulkfax does
    OTHER = "other"
    INCOMING = "incoming"
    #: it is about another fax than its URL
    MISMATCHED = "mismatched"
    FORGED = "forged"
    UNREADABLE = "unreadable"
    #: it could not be stored, or its sender went away
    UNAVAILABLE = "unavailable"


class CallbackReceiver:
    """Receives callbacks. Those that arrive at the same time are stored with one write."""

    def __init__(self, store: Store, keys: Sequence[bytes], *, failpoint: FailpointHook = no_failpoint) -> None:
        """Create a receiver that accepts callback URLs signed with any of ``keys``."""
        self._totals = store.metric_totals
        self._adds = Batcher(store.inbox.add)
        self._keys = keys
        self._failpoint = failpoint

    async def receive(
        self, *, job: str, attempt: int, signature: str, content_type: str, body: AsyncIterator[bytes]
    ) -> CallbackResult:
        """Receive one callback at the URL of an attempt. Returns when it is stored, or when it is not needed.

        The results ``FORGED``, ``UNREADABLE`` and ``UNAVAILABLE`` are errors and not returned.

        Args:
            job: Job of the URL.
            attempt: Attempt number of the URL.
            signature: Signature of the URL.
            content_type: Content type of the body.
            body: The request's body. The caller limits its size.

        Raises:
            Forged: The signature is wrong. Nothing of the body was read.
            Unreadable: The body is not an event.
            StoreError: The event could not be stored. The provider delivers it again.
        """
        if not is_genuine(self._keys, job, attempt, signature):
            log.warning("a callback was refused: the signature of its URL is wrong")
            await self._totals.count(CALLBACKS, ("forged",))
            raise Forged("the signature of this URL is wrong")
        try:
            event = await _read(content_type, body)
        except CallbackError as error:
            await self._totals.count(CALLBACKS, ("unreadable",))
            raise Unreadable(str(error)) from error
        result = await self._store_if_needed(job, attempt, event)
        await self._failpoint(Failpoint.CALLBACK_TAKEN)
        return result

    async def drop_incoming(self, body: AsyncIterator[bytes]) -> CallbackResult:
        """Read a callback about an incoming fax to its end and count it. bulkfax does not handle incoming faxes."""
        async for _ in body:
            pass
        await self._totals.count(CALLBACKS, ("incoming",))
        return CallbackResult.INCOMING

    async def _store_if_needed(self, job: str, attempt: int, event: CallbackEvent) -> CallbackResult:
        if event.event != FAX_COMPLETED:
            # The provider may add kinds of events. If refused, they would only be delivered again.
            await self._totals.count(CALLBACKS, ("other",))
            return CallbackResult.OTHER
        if event.update and shown_labels(event.update, job, attempt) is CallbackProof.WRONG:
            await self._totals.count(CALLBACKS, ("mismatched",))
            return CallbackResult.MISMATCHED
        await self._failpoint(Failpoint.CALLBACK_READ)
        # not counted here: the inbox consumer counts it
        await self._adds.submit(encode(job, attempt, event))
        await self._failpoint(Failpoint.CALLBACK_STORED)
        return CallbackResult.STORED


async def _read(content_type: str, body: AsyncIterator[bytes]) -> CallbackEvent:
    reader = CallbackReader(content_type)
    async for piece in body:
        reader.feed(piece)
    return reader.finish()
