"""Routes for monitoring: liveness, readiness and metrics."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from dispatcher.api.dependencies import RuntimeDep
from dispatcher.metrics.installation import Exposition
from dispatcher.metrics.process import ProcessMetrics
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
    await runtime.store.check_settings()
    return responses.Ready()


_IS_TEXT: dict[int | str, dict[str, object]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/metrics", response_class=Response, responses=_IS_TEXT)
async def get_metrics(request: Request) -> Response:
    """Return the metrics of this web process in the format of Prometheus."""
    metrics: ProcessMetrics = request.app.state.metrics
    return Response(generate_latest(metrics), media_type=CONTENT_TYPE_LATEST)


@router.get("/metrics/installation", response_class=Response, responses=_IS_TEXT)
async def get_installation_metrics(request: Request, runtime: RuntimeDep) -> Response:
    """Return the totals of the whole installation in the format of Prometheus. Every web process returns the same."""
    exposition: Exposition = request.app.state.exposition
    text = await exposition.text(runtime.store, runtime.settings.sinch.max_in_flight)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
