"""What a request allows a start to do: in its body, in its address, or by its API key."""

from typing import Annotated

from fastapi import Depends, Query, Request

from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.security import has_key
from dispatcher.runtime import Runtime
from dispatcher.schema.requests import Start
from dispatcher.service.mailings import Allowed


def allowed_by_key(request: Request, runtime: Runtime) -> Allowed:
    """Return what the API key of a request allows."""
    return Allowed(warnings=has_key(request.headers, runtime.settings.api_keys_allow_warnings))


async def _allowed_outside_the_body(
    request: Request,
    runtime: RuntimeDep,
    allow_warnings: Annotated[
        bool, Query(description="Send documents that have warnings, as `allow_warnings` in the body.")
    ] = False,
) -> Allowed:
    return Allowed(warnings=allow_warnings or allowed_by_key(request, runtime).warnings)


#: what address and key of a request allow
AllowedDep = Annotated[Allowed, Depends(_allowed_outside_the_body)]


def allowed(outside: Allowed, body: Start | None) -> Allowed:
    """Return what a request allows altogether."""
    if body is None:
        return outside
    return Allowed(warnings=outside.warnings or body.allow_warnings, repeat=outside.repeat or body.allow_repeat)
