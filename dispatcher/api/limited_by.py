"""Why nothing is sent, or not faster, for responses of the API."""

from dispatcher.runtime import Runtime
from dispatcher.service.limits import Limits, what_limits
from dispatcher.service.views import BatchView, UnreadableBatch


async def limited_by_now(runtime: Runtime, *views: BatchView | UnreadableBatch) -> Limits:
    """Return why nothing is sent, or not faster: for the account and for each of these batches."""
    batches = [view.id for view in views]
    return await what_limits(runtime.store, max_in_flight=runtime.settings.sinch.max_in_flight, batches=batches)
