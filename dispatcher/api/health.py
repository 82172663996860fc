"""Routes for monitoring: liveness, readiness and metrics."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from dispatcher.api.dependencies import RuntimeDep
from dispatcher.metrics import Exposition
from dispatcher.schema import responses

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def get_health() -> responses.Alive:
    """Answer that the process is alive. Redis is not checked, so that its failure restarts no web process."""
    return responses.Alive()


@router.get("/readyz")
async def get_readiness(runtime: RuntimeDep) -> responses.Ready:
    """Check that Redis is reachable, takes writes, is configured to keep them, and that our keys are ours; or 503."""
    await runtime.store.ping()
    await runtime.store.check_writable()
    await runtime.store.key_types.check()
    if not runtime.settings.allow_unsafe_redis:
        await runtime.store.check_settings()
    return responses.Ready()


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
)
async def get_metrics(request: Request, runtime: RuntimeDep) -> Response:
    """Return the metrics of the whole cluster in the format of Prometheus. Every web process returns the same."""
    exposition: Exposition = request.app.state.exposition
    text = await exposition.text(runtime.store, runtime.settings.sinch.max_in_flight)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
