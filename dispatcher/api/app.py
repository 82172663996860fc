"""The web application: the producer API, the callback receiver, health and metrics."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.metadata import version

from fastapi import Depends, FastAPI
from starlette.routing import Route

from dispatcher.api import (
    account,
    batches,
    body_limit,
    callbacks,
    docs,
    documents,
    events,
    faxes,
    health,
    holds,
    jobs,
    pages,
    policy,
    previews,
    problems,
    recipients,
    reruns,
    status,
    suppressions,
    webhook_endpoints,
)
from dispatcher.api.body_limit import BodyLimit
from dispatcher.api.description import describe, operation_id
from dispatcher.api.head import HeadAsGet
from dispatcher.api.parameters import KNOWN_PARAMETERS
from dispatcher.api.request_id import RequestIds
from dispatcher.api.security import BEARER, Guard, ensure_guarded
from dispatcher.api.turns import Turns
from dispatcher.metrics.installation import Exposition
from dispatcher.metrics.process import ProcessMetrics, RequestMetrics
from dispatcher.runtime import Runtime, open_runtime
from dispatcher.settings import load_settings

_GUARDED = (
    batches.router,
    reruns.router,
    recipients.router,
    jobs.router,
    faxes.router,
    documents.router,
    suppressions.router,
    previews.router,
    account.router,
    holds.router,
    events.router,
    webhook_endpoints.router,
    policy.router,
    status.router,
)
_OPEN = (documents.signed, health.router)
_PLAIN = (*callbacks.ROUTES, *docs.ROUTES)


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """Return the application for a runtime, or for one that is created from the settings when the server starts.

    Raises:
        SettingsError: Anyone in the network could use the API.
    """
    app = FastAPI(
        title="bulkfax",
        version=version("bulkfax"),
        routes=list(_PLAIN),
        lifespan=_with_runtime(runtime) if runtime else _from_settings,
        generate_unique_id_function=operation_id,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name the Host as it was sent
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.openapi = partial(describe, app)  # type: ignore[method-assign]  # FastAPI's way to change the document
    app.state.exposition = Exposition()
    app.state.metrics = ProcessMetrics("web")
    app.state.request_metrics = RequestMetrics(app.state.metrics.registry, _routes())
    _add_turns(app)
    app.add_middleware(callbacks.CallbacksFirst)
    app.add_middleware(BodyLimit)
    app.add_middleware(Guard)
    app.add_middleware(HeadAsGet)
    app.add_middleware(RequestIds, plain=_PLAIN)  # the last one is the first that a request meets
    problems.install(app)
    for router in _GUARDED:
        app.include_router(router, dependencies=[Depends(BEARER), KNOWN_PARAMETERS])
    for router in _OPEN:
        app.include_router(router)
    return app


def _routes() -> Iterator[tuple[str, str]]:
    """Yield method and path of every route."""
    for route in (*_PLAIN, *(route for router in (*_GUARDED, *_OPEN) for route in router.routes)):
        if isinstance(route, Route):
            yield from ((method, route.path) for method in route.methods or ())


def _add_turns(app: FastAPI) -> None:
    """Bound the memory of what clients send and read slowly."""
    state = app.state
    state.list_turns = Turns("lists are read", at_once=recipients.LISTS_AT_ONCE, waiting=recipients.LISTS_WAITING)
    state.body_turns = Turns(
        "large bodies are received", at_once=body_limit.BODIES_AT_ONCE, waiting=body_limit.BODIES_WAITING
    )
    state.report_turns = Turns("reports are sent", at_once=batches.REPORTS_AT_ONCE, waiting=batches.REPORTS_WAITING)
    state.page_turns = Turns("pages are sent", at_once=pages.PAGES_AT_ONCE, waiting=pages.PAGES_WAITING)
    state.upload_turns = Turns(
        "documents are received", at_once=documents.UPLOADS_AT_ONCE, waiting=documents.UPLOADS_WAITING
    )
    state.fetch_turns = Turns(
        "documents are sent", at_once=documents.FETCHES_AT_ONCE, waiting=documents.FETCHES_WAITING
    )
    state.rerun_preview_turns = Turns(
        "previews of reruns are counted", at_once=reruns.PREVIEWS_AT_ONCE, waiting=reruns.PREVIEWS_WAITING
    )
    state.preview_turns = Turns(
        "previews are drawn", at_once=previews.PREVIEWS_AT_ONCE, waiting=previews.PREVIEWS_WAITING
    )


def _with_runtime(runtime: Runtime) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    ensure_guarded(runtime.settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.runtime = runtime
        async with app.state.metrics.watching(runtime.sinch, runtime.store, runtime.permits):
            yield

    return lifespan


@asynccontextmanager
async def _from_settings(app: FastAPI) -> AsyncIterator[None]:
    settings = load_settings()
    ensure_guarded(settings)
    async with open_runtime(settings, answers_people=True) as runtime, _with_runtime(runtime)(app):
        yield
