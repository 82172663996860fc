"""The application: the provider's paths, the token endpoint, and the emulator's own."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dispatcher.emulator import ledger
from dispatcher.emulator.answers import ApiError, error_answer, json_answer, unauthorized
from dispatcher.emulator.config import EmulatorConfig
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.fax_list import list_page
from dispatcher.emulator.faxes import view
from dispatcher.emulator.gate import TOKEN_PATH, Gate
from dispatcher.emulator.lists import query
from dispatcher.emulator.sending import send_fax

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
_PROJECT = "/v3/projects/{projectId}"


def create_app(config: EmulatorConfig) -> FastAPI:
    """The emulator as an ASGI application with a state of its own."""
    emulator = Emulator(config)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await emulator.close()

    app = FastAPI(title="Sinch Fax API v3, emulated", version="3", lifespan=lifespan)
    app.state.emulator = emulator
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(HTTPException, _not_routed)
    for method, path, endpoint in _ROUTES:
        # Starlette's plain routes: FastAPI's own cost more than all the rest of taking a fax.
        app.router.routes.append(Route(path, endpoint, methods=[method]))
    app.add_middleware(Gate, emulator=emulator)
    return app


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_answer(error.status, error.message, error.violations)


async def _not_routed(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_answer(error.status_code, error.detail, headers=error.headers)


async def issue_token(request: Request) -> Response:
    """`POST /oauth2/token`: client credentials for an access token."""
    emulator: Emulator = request.app.state.emulator
    if not emulator.auth.basic_ok(request.headers.get("authorization", "").encode()):
        return unauthorized('Basic realm="token"')
    form = (await request.body()).decode("utf-8", "replace")
    if "grant_type=client_credentials" not in form.split("&"):
        return json_answer({"error": "unsupported_grant_type"}, 400)
    emulator.stats.tokens_issued += 1
    return json_answer(
        {
            "access_token": emulator.auth.issue(emulator.clock.now_ms()),
            "expires_in": emulator.auth.token_life_s,
            "token_type": "bearer",
            "scope": "",
        }
    )


async def list_faxes(request: Request) -> Response:
    emulator: Emulator = request.app.state.emulator
    return json_answer(list_page(emulator.faxes, query(request), emulator.clock.now_ms()))


async def get_fax(request: Request) -> Response:
    emulator: Emulator = request.app.state.emulator
    now_ms = emulator.clock.now_ms()
    fax = emulator.faxes.get(request.path_params["faxId"], now_ms)
    if fax is None:
        raise ApiError(404, "There is no such fax")
    return json_answer(view(fax, now_ms))


#: The order is the order of matching: what is called most comes first.
_ROUTES: tuple[tuple[str, str, Endpoint], ...] = (
    ("POST", f"{_PROJECT}/faxes", send_fax),
    ("GET", f"{_PROJECT}/faxes", list_faxes),
    ("GET", f"{_PROJECT}/faxes/{{faxId}}", get_fax),
    ("POST", TOKEN_PATH, issue_token),
    ("GET", "/emulator/ledger", ledger.get_ledger),
    ("GET", "/emulator/stats", ledger.get_stats),
    ("POST", "/emulator/scenario", ledger.post_scenario),
    ("POST", "/emulator/outage", ledger.post_outage),
)
