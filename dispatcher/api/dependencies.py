"""What routes get from the application: its runtime."""

from typing import Annotated

from fastapi import Depends, Request

from dispatcher.runtime import Runtime


def runtime_of(request: Request) -> Runtime:
    """Return the runtime of the application. This does not check the API key; ``security.Guard`` does."""
    runtime: Runtime = request.app.state.runtime
    return runtime


async def _runtime(request: Request) -> Runtime:
    return runtime_of(request)  # a coroutine, because FastAPI would run a plain function in a thread


RuntimeDep = Annotated[Runtime, Depends(_runtime)]
