"""Whether the process lives, and whether it can work."""

from fastapi import APIRouter

from dispatcher.api import models
from dispatcher.api.security import Parts

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> models.Alive:
    """The process answers. Looks at nothing else, so that a Redis that is away has nobody restarted."""
    return models.Alive()


@router.get("/readyz")
async def ready(parts: Parts) -> models.Ready:
    """Redis is reachable, takes writes, and is set up to keep them; otherwise 503 and why not."""
    await parts.store.ping()
    await parts.store.check_writable()
    if not parts.settings.allow_unsafe_redis:
        await parts.store.check_settings()
    return models.Ready()
