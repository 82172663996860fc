"""The ASGI application: the provider's API, the token endpoint, and the emulator's control paths."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from dispatcher.emulator import cover_pages, emails, fax_routes, ledger, openapi, service_api
from dispatcher.emulator.config import EmulatorConfig
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.hostile import HostileAnswers
from dispatcher.emulator.incoming import post_incoming
from dispatcher.emulator.request_checks import API, TOKEN_PATH, RequestChecks
from dispatcher.emulator.responses import ApiError, error_response, json_response, unauthorized
from dispatcher.emulator.sending import send_fax

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
_PROJECT = "/v3/projects/{projectId}"


def create_app(config: EmulatorConfig) -> FastAPI:
    """Create an emulator as an ASGI application; its state is in ``app.state.emulator``."""
    emulator = Emulator(config)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await emulator.close()

    app = FastAPI(title="Sinch Fax API v3, emulated", version="3", lifespan=lifespan)
    app.state.emulator = emulator
    app.openapi = openapi.document  # type: ignore[method-assign] # FastAPI's documented way
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _client_disconnected)
    routes = [Route(path, endpoint, methods=[method]) for method, path, endpoint in _ROUTES]
    # Before FastAPI's own pages: the first route that matches wins.
    app.router.routes[:0] = routes
    app.add_middleware(HostileAnswers, prefixes=(API, TOKEN_PATH), hostility=emulator.hostility)
    app.add_middleware(RequestChecks, emulator=emulator)
    return app


async def _api_error(_: Request, error: Exception) -> Response:
    """Turn a refusal by the emulated API into an error response."""
    assert isinstance(error, ApiError)
    return error_response(error.status, error.message, error.violations)


async def _http_error(_: Request, error: Exception) -> Response:
    """Give an unknown path or method the error body of the provider."""
    assert isinstance(error, HTTPException)
    return error_response(error.status_code, error.detail, headers=error.headers)


async def _client_disconnected(_: Request, __: Exception) -> Response:
    """End a request whose client disconnected before it was complete.

    No fax exists and nobody reads the response.
    """
    return Response(status_code=400)


async def issue_token(request: Request) -> Response:
    """``POST /oauth2/token``: exchange client credentials for an access token."""
    emulator: Emulator = request.app.state.emulator
    if not emulator.auth.basic_ok(request.headers.get("authorization", "").encode()):
        return unauthorized('Basic realm="token"')
    form = (await request.body()).decode("utf-8", "replace")
    if "grant_type=client_credentials" not in form.split("&"):
        return json_response({"error": "unsupported_grant_type"}, 400)
    emulator.stats.tokens_issued += 1
    return json_response(
        {
            "access_token": emulator.auth.issue(emulator.clock.now_ms()),
            "expires_in": emulator.auth.token_life_s,
            "token_type": "bearer",
            "scope": "",
        }
    )


_SERVICE = f"{_PROJECT}/services/{{serviceId}}"

#: method, path and endpoint, in the order of matching: frequent requests first
_ROUTES: tuple[tuple[str, str, Endpoint], ...] = (
    ("POST", f"{_PROJECT}/faxes", send_fax),
    ("GET", f"{_PROJECT}/faxes", fax_routes.list_faxes),
    ("GET", f"{_PROJECT}/faxes/{{faxId}}", fax_routes.get_fax),
    ("POST", TOKEN_PATH, issue_token),
    ("GET", f"{_PROJECT}/faxes/{{faxId}}/file", fax_routes.get_content),
    ("GET", f"{_PROJECT}/faxes/{{faxId}}/file.pdf", fax_routes.get_content),
    ("DELETE", f"{_PROJECT}/faxes/{{faxId}}/file", fax_routes.delete_content),
    ("POST", f"{_PROJECT}/services", service_api.create_service),
    ("GET", f"{_PROJECT}/services", service_api.list_services),
    ("GET", _SERVICE, service_api.get_service),
    ("PATCH", _SERVICE, service_api.update_service),
    ("DELETE", _SERVICE, service_api.delete_service),
    ("GET", f"{_SERVICE}/numbers", service_api.list_numbers),
    ("GET", f"{_SERVICE}/numbers/{{phoneNumber}}/emails", emails.list_emails_of_number),
    ("POST", f"{_SERVICE}/emails", emails.create_email),
    ("GET", f"{_SERVICE}/emails", emails.list_emails),
    ("PUT", f"{_SERVICE}/emails/{{email}}", emails.update_email),
    ("DELETE", f"{_SERVICE}/emails/{{email}}", emails.delete_email),
    ("GET", f"{_SERVICE}/emails/{{email}}/numbers", emails.list_numbers_of_email),
    ("POST", f"{_SERVICE}/coverPages", cover_pages.create_cover_page),
    ("GET", f"{_SERVICE}/coverPages", cover_pages.list_cover_pages),
    ("GET", f"{_SERVICE}/coverPages/{{coverPageId}}", cover_pages.get_cover_page),
    ("DELETE", f"{_SERVICE}/coverPages/{{coverPageId}}", cover_pages.delete_cover_page),
    ("GET", "/emulator/ledger", ledger.get_ledger),
    ("GET", "/emulator/stats", ledger.get_stats),
    ("POST", "/emulator/scenario", ledger.post_scenario),
    ("POST", "/emulator/outage", ledger.post_outage),
    ("POST", "/emulator/incoming", post_incoming),
    ("POST", "/emulator/numbers", ledger.post_number),
    ("POST", "/emulator/clock", ledger.post_clock),
)
