"""Gives each request an id, which its answer and the lines of the log have."""

import re
import secrets
from collections.abc import Iterable
from time import perf_counter

import structlog
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger(__name__)

HEADER = "X-Request-Id"
_NAME = HEADER.lower().encode()
#: ids that are taken from a request; others are replaced, because they are written to the log and back to the client
_WELL_FORMED = re.compile(r"[A-Za-z0-9._:/=+-]{1,128}")
_ID_BYTES = 8
#: methods of requests that change something: one that did is logged, with the key that may do so
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_STATE_KEY = "request_id"


def new_request_id() -> str:
    """Return an id for a request that brings none."""
    return secrets.token_hex(_ID_BYTES)


def request_id_header(scope: Scope) -> dict[str, str]:
    """Return the header with the id of a request."""
    return {HEADER: scope["state"][_STATE_KEY]}


class RequestIds:
    """Middleware around all others: takes the id of a request, or makes one, and logs what failed."""

    def __init__(self, app: ASGIApp, plain: Iterable[Route]) -> None:
        """``plain`` are the routes that a request does not name by itself."""
        self._app = app
        self._paths: dict[object, str] = {route.endpoint: route.path for route in plain}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _offered(scope) or new_request_id()
        scope.setdefault("state", {})[_STATE_KEY] = request_id
        began_s = perf_counter()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (_NAME, request_id.encode())]
                self._log(scope, message["status"], perf_counter() - began_s)
            await send(message)

        before = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            self._log(scope, 500, perf_counter() - began_s)
            raise
        finally:
            structlog.contextvars.reset_contextvars(**before)

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        """Count and log a request by its route: addresses may contain fax numbers."""
        route = getattr(scope.get("route"), "path", "") or self._paths.get(scope.get("endpoint"), "")
        scope["app"].state.request_metrics.count(scope["method"], route, status, seconds)
        method = scope["method"]
        changes = method in _CHANGING and route.startswith("/v1/") and status < 400
        write = log.warning if status >= 500 else log.info if changes else log.debug
        # the batch of a change exists; what another request calls a batch could be anything
        batch = scope.get("path_params", {}).get("batch", "") if changes else ""
        about = {"batch": batch} if batch else {}
        write("answered", method=method, route=route, **about, status=status, seconds=round(seconds, 3))


def _offered(scope: Scope) -> str:
    """Return the id that a request brings; empty if it brings none that can be used."""
    offered = next((value for name, value in scope["headers"] if name == _NAME), b"").decode("latin-1")
    return offered if _WELL_FORMED.fullmatch(offered) else ""
