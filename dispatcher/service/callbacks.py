"""Callbacks of the provider: checked, stripped of the document, and on disk before they are acknowledged."""

from collections.abc import AsyncIterator, Iterable

from dispatcher.core.points import At, Point
from dispatcher.service.errors import Forged, Unreadable
from dispatcher.service.news import encode
from dispatcher.sinch.callback_url import verify
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent, CallbackReader
from dispatcher.sinch.errors import CallbackError
from dispatcher.store.store import Store

#: counter of all callbacks, by what became of them
CALLBACKS = "callbacks"


async def receive(
    store: Store,
    keys: Iterable[bytes],
    *,
    job: str,
    attempt: int,
    signature: str,
    content_type: str,
    body: AsyncIterator[bytes],
    at: At | None = None,
) -> None:
    """Take one callback from the address made for an attempt. Returns when it is stored, or is of no use to us.

    The caller bounds the size of ``body``. Raises Forged before reading any of it, Unreadable for a body that is no
    event, and StoreError when it could not be stored: the provider then delivers it again.
    """
    if not verify(keys, job, attempt, signature):
        await store.totals.count(CALLBACKS, ("forged",))
        raise Forged("this address was not made by us")
    try:
        event = await _read(content_type, body)
    except CallbackError as error:
        await store.totals.count(CALLBACKS, ("unreadable",))
        raise Unreadable(str(error)) from error
    await _keep(store, job, attempt, event, at)
    if at:
        await at(Point.CALLBACK_TAKEN)


async def drop_incoming(store: Store, body: AsyncIterator[bytes]) -> None:
    """Acknowledge an incoming fax, which is none of our business: read to its end, counted, dropped."""
    async for _ in body:
        pass
    await store.totals.count(CALLBACKS, ("incoming",))


async def _read(content_type: str, body: AsyncIterator[bytes]) -> CallbackEvent:
    reader = CallbackReader(content_type)
    async for piece in body:
        reader.feed(piece)
    return reader.finish()


async def _keep(store: Store, job: str, attempt: int, event: CallbackEvent, at: At | None) -> None:
    if event.event != FAX_COMPLETED:
        # events that we do not know are the provider's to invent: refusing them would only have them sent again
        await store.totals.count(CALLBACKS, ("other",))
        return
    if at:
        await at(Point.CALLBACK_READ)
    # counted when it is settled
    await store.inbox.add(encode(job, attempt, event))
    if at:
        await at(Point.CALLBACK_STORED)
