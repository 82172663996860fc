"""How far batches are, and what keeps them from going faster, for responses of the API."""

from collections.abc import Mapping

from dispatcher.runtime import Runtime
from dispatcher.service.progress import BatchProgress, progress_of, progress_of_one
from dispatcher.service.views import BatchView, UnreadableBatch


async def progress_now(runtime: Runtime, *views: BatchView | UnreadableBatch) -> Mapping[str, BatchProgress]:
    """Return the progress of each of these batches, as a list shows it."""
    return await progress_of(runtime.store, views, max_in_flight=runtime.settings.sinch.max_in_flight)


async def progress_now_of(runtime: Runtime, view: BatchView) -> BatchProgress:
    """Return the progress of one batch, with what its jobs wait for."""
    return await progress_of_one(runtime.store, view, max_in_flight=runtime.settings.sinch.max_in_flight)
