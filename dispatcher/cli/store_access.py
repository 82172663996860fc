"""Gives commands access to the store without the API: its address, and single records."""

from dataclasses import asdict
from typing import Any

from dispatcher.cli.failure import CommandFailed
from dispatcher.core.job import JobId
from dispatcher.local.redis_server import running_url
from dispatcher.runtime import open_store
from dispatcher.settings import Settings, load_settings
from dispatcher.store.keys import locate


def settings_with_redis() -> Settings:
    """Return all settings; an empty BULKFAX_REDIS_URL becomes the address of the embedded server.

    Raises:
        SettingsError: A setting is invalid.
        CommandFailed: No address is set and no embedded server runs.
    """
    settings = load_settings()
    if settings.redis_url:
        return settings
    if url := running_url(settings.data_dir / "redis"):
        return settings.model_copy(update={"redis_url": url})
    raise CommandFailed(
        f"no Redis is named and none runs in {settings.data_dir.resolve()}: set BULKFAX_REDIS_URL, go to the folder in "
        f"which `bulkfax up` was started, or start everything with `bulkfax up`, which brings its own"
    )


async def stored_record(job: str) -> dict[str, Any]:
    """Return the stored record of a job, field by field.

    Raises:
        CommandFailed: There is no such job.
        StoreError: Redis does not answer.
    """
    try:
        parsed = JobId.parse(job)
    except ValueError as error:
        raise CommandFailed(str(error)) from error
    block, position = locate(parsed)
    async with open_store(settings_with_redis()) as store:
        records = await store.batches.records(parsed.batch, block)
    if position >= len(records):
        raise CommandFailed(f"there is no job {job}")
    return {**asdict(records[position]), "state": records[position].state.label}
