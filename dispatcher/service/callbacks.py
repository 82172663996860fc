"""Callbacks of the provider: checked, stripped of the document, and on disk before they are acknowledged."""

from collections.abc import AsyncIterator, Sequence

from dispatcher.core.failpoints import Failpoint, FailpointHook
from dispatcher.core.settlement.callbacks import CallbackProof, shown_labels
from dispatcher.service.batching import Batcher
from dispatcher.service.errors import Forged, Unreadable
from dispatcher.service.inbox_consumer import encode
from dispatcher.sinch.callback_url import verify
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent, CallbackReader
from dispatcher.sinch.errors import CallbackError
from dispatcher.store.store import Store

#: counter of all callbacks, by what became of them
CALLBACKS = "callbacks"


class CallbackReceiver:
    """Takes callbacks; those that come at the same time go to disk together."""

    def __init__(self, store: Store, keys: Sequence[bytes], *, failpoint: FailpointHook | None = None) -> None:
        """``keys`` sign the addresses that we give to the provider."""
        self._totals = store.metric_totals
        self._adds = Batcher(store.inbox.add)
        self._keys = keys
        self._at = failpoint

    async def receive(
        self, *, job: str, attempt: int, signature: str, content_type: str, body: AsyncIterator[bytes]
    ) -> None:
        """Take one callback from the address made for an attempt. Returns when it is stored, or is of no use to us.

        The caller bounds the size of ``body``. Raises Forged before reading any of it, Unreadable for a body that is
        no event, and StoreError when it could not be stored: the provider then delivers it again.
        """
        if not verify(self._keys, job, attempt, signature):
            await self._totals.count(CALLBACKS, ("forged",))
            raise Forged("this address was not made by us")
        try:
            event = await _read(content_type, body)
        except CallbackError as error:
            await self._totals.count(CALLBACKS, ("unreadable",))
            raise Unreadable(str(error)) from error
        await self._keep(job, attempt, event)
        if self._at:
            await self._at(Failpoint.CALLBACK_TAKEN)

    async def drop_incoming(self, body: AsyncIterator[bytes]) -> None:
        """Acknowledge an incoming fax, which is none of our business: read to its end, counted, dropped."""
        async for _ in body:
            pass
        await self._totals.count(CALLBACKS, ("incoming",))

    async def _keep(self, job: str, attempt: int, event: CallbackEvent) -> None:
        if event.event != FAX_COMPLETED:
            # events that we do not know are the provider's to invent: refusing them would only have them sent again
            await self._totals.count(CALLBACKS, ("other",))
            return
        if event.news and shown_labels(event.news, job, attempt) is CallbackProof.WRONG:
            await self._totals.count(CALLBACKS, ("mismatched",))
            return
        if self._at:
            await self._at(Failpoint.CALLBACK_READ)
        # counted when it is settled
        await self._adds.submit(encode(job, attempt, event))
        if self._at:
            await self._at(Failpoint.CALLBACK_STORED)


async def _read(content_type: str, body: AsyncIterator[bytes]) -> CallbackEvent:
    reader = CallbackReader(content_type)
    async for piece in body:
        reader.feed(piece)
    return reader.finish()
