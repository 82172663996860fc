"""The registry of worker processes alone, for whoever starts them: ``runtime`` brings all that sending needs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from dispatcher.settings import Settings, SettingsError
from dispatcher.store.client import connect
from dispatcher.store.errors import StoreError, translated
from dispatcher.store.lua import Scripts
from dispatcher.store.workers import WorkerRegistry

__all__ = ["StoreError", "WorkerRegistry", "open_registry"]


@asynccontextmanager
async def open_registry(settings: Settings) -> AsyncIterator[WorkerRegistry]:
    """Connects at the first call. Raises SettingsError when the address of Redis is no address."""
    try:
        client = connect(settings.redis_url)
    except ValueError as error:
        raise SettingsError(f"BULKFAX_REDIS_URL: {error}") from error
    try:
        yield WorkerRegistry(client, Scripts(client))
    finally:
        with suppress(StoreError), translated():
            await client.aclose()
