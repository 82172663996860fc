"""The doctor's check that everything stored can be read. It names what cannot, and says what to do."""

from collections.abc import AsyncIterator, Awaitable

from dispatcher.store.batches import Overview
from dispatcher.store.errors import UnreadableData
from dispatcher.store.holds import UNREADABLE
from dispatcher.store.keys import BLOCK
from dispatcher.store.store import Store

#: maximum number of unreadable things that are named
MAX_NAMED = 100
#: what helps, whatever it is
ADVICE = (
    "Nothing of it is sent. Restore these keys from a copy of Redis and release the holds on them, or cancel the batch "
    "and send to these recipients in a new one."
)


async def unreadable(store: Store) -> list[str]:
    """Return what cannot be read, each with its id and the reason."""
    return [what async for what in _all(store)]


async def _all(store: Store) -> AsyncIterator[str]:
    for batch in await store.audit.batches():
        try:
            overview = await store.batches.overview(batch)
        except UnreadableData as error:
            yield f"batch {batch} ({error.reason})"
            continue
        if overview is None:
            yield f"batch {batch} (its definition is missing)"
            continue
        async for what in _parts(store, batch, overview):
            yield what
    for sha256 in await store.audit.documents():
        if reason := await _fails(_document(store, sha256)):
            yield f"document {sha256} ({reason})"
    for hold in await store.holds.all():
        if hold.category == UNREADABLE:
            yield f"hold {hold.scope}"
    if reason := await _fails(store.lookup_index.last_piece()):
        yield f"the index of all jobs, which lists go on without ({reason})"
    for what in await store.audit.damaged_values():
        yield what


async def _parts(store: Store, batch: str, overview: Overview) -> AsyncIterator[str]:
    for waiting in (store.audit.due_rows(batch), store.audit.parked_rows(batch)):
        if reason := await _fails(waiting):
            yield f"waiting jobs of batch {batch} ({reason})"
    for block in range(overview.blocks):
        try:
            recipients = await store.batches.recipients(batch, block)
            reason = "" if recipients else "the recipients are missing"
        except UnreadableData as error:
            recipients, reason = (), error.reason
        if reason:
            yield f"jobs {batch}.{block * BLOCK} to {batch}.{(block + 1) * BLOCK - 1} ({reason})"
        for job, reason in (await store.audit.damaged_jobs(batch, block, len(recipients))).items():
            yield f"{job} ({reason})"
    for chunk in range(overview.blocks + overview.refused):
        try:
            if chunk >= await store.batches.refused_chunks(batch):
                break
            await store.batches.refused(batch, chunk)
        except UnreadableData as error:
            yield f"refused rows of batch {batch} ({error.reason})"
            break


async def _fails(reading: Awaitable[object]) -> str:
    """Return the reason for which a value cannot be read; empty if it can."""
    try:
        await reading
    except UnreadableData as error:
        return error.reason
    return ""


async def _document(store: Store, sha256: str) -> None:
    if await store.documents.info(sha256) is None or await store.documents.content(sha256) is None:
        raise UnreadableData(sha256, "the document is missing")
