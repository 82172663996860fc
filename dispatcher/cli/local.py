"""What commands need that work beside the API: settings with a Redis that is there, the policy, the store itself."""

from dataclasses import asdict
from typing import Any

from dispatcher.cli.failure import CommandFailed
from dispatcher.core.job import JobId
from dispatcher.core.policy import Policy
from dispatcher.runtime import open_store, read_policy
from dispatcher.settings import Settings, load_settings
from dispatcher.store.keys import locate
from dispatcher.store.server import running_url


def settings_with_redis() -> Settings:
    """All settings, where an empty BULKFAX_REDIS_URL becomes the address of the embedded server that runs here.

    Raises SettingsError, and Failure when there is no Redis.
    """
    settings = load_settings()
    if settings.redis_url:
        return settings
    if url := running_url(settings.data_dir / "redis"):
        return settings.model_copy(update={"redis_url": url})
    raise CommandFailed(
        f"no Redis is named and none runs in {settings.data_dir}: set BULKFAX_REDIS_URL, "
        f"or start everything with `bulkfax up`, which brings its own"
    )


def policy_in_use() -> Policy:
    """The policy that BULKFAX_POLICY_FILE names, or the default one. Raises SettingsError."""
    return read_policy(load_settings())


async def stored_record(job: str) -> dict[str, Any]:
    """The record of a job as Redis holds it, field by field. Raises Failure when there is none, StoreError."""
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
