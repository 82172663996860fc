"""What a request allows a start to do: in its body, in its address, or by its API key."""

from typing import Annotated

from fastapi import Depends, Query, Request

from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.security import has_key
from dispatcher.schema.requests import Start
from dispatcher.service.mailings import Allowed


async def _allowed_outside_the_body(
    request: Request,
    runtime: RuntimeDep,
    allow_warnings: Annotated[
        bool, Query(description="Send documents that have warnings, as `allow_warnings` in the body.")
    ] = False,
) -> Allowed:
    by_key = has_key(request.headers, runtime.settings.api_keys_allow_warnings)
    return Allowed(warnings=allow_warnings or by_key)


#: what address and key of a request allow
AllowedDep = Annotated[Allowed, Depends(_allowed_outside_the_body)]


def allowed(outside: Allowed, body: Start | None) -> Allowed:
    """Return what a request allows altogether."""
    if body is None:
        return outside
    return Allowed(warnings=outside.warnings or body.allow_warnings, repeat=outside.repeat or body.allow_repeat)
