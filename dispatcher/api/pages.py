"""Pages of jobs, batches and refused rows. They may be large, so they are made and encoded outside the event loop."""

from collections.abc import Callable
from typing import ParamSpec

from fastapi import Response

from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.schema import responses

P = ParamSpec("P")


async def page_response(make: Callable[P, responses.Response], *args: P.args, **kwargs: P.kwargs) -> Response:
    """Return the JSON of a model that ``make`` returns. FastAPI validates and encodes no answer that is a response."""

    def encoded() -> bytes:
        return make(*args, **kwargs).model_dump_json(by_alias=True).encode()

    return Response(await on_cpu_thread(encoded), media_type="application/json")
