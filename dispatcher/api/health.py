"""Whether the process lives, whether it can work, and what it counts."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from dispatcher.api.security import RuntimeDep
from dispatcher.metrics import Exposition
from dispatcher.schema import responses

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> responses.Alive:
    """The process answers. Looks at nothing else, so that a Redis that is away has nobody restarted."""
    return responses.Alive()


@router.get("/readyz")
async def ready(parts: RuntimeDep) -> responses.Ready:
    """Redis is reachable, takes writes, and is set up to keep them; otherwise 503 and why not."""
    await parts.store.ping()
    await parts.store.check_writable()
    if not parts.settings.allow_unsafe_redis:
        await parts.store.check_settings()
    return responses.Ready()


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
)
async def metrics(request: Request, parts: RuntimeDep) -> Response:
    """For Prometheus. Every web process answers with the figures of the whole cluster."""
    exposition: Exposition = request.app.state.exposition
    text = await exposition.text(parts.store, parts.settings.sinch.max_in_flight)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
