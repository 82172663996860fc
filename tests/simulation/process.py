"""A process that can be killed at any await, and stopped and continued, in one event loop with all others."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar, copy_context
from typing import Any

_CURRENT: ContextVar["Process"] = ContextVar("process")
#: turns of the loop after which every task of a killed process has to be gone
_LAST_TURNS = 200


class Killed(asyncio.CancelledError):
    """Raised where a killed process would go on: nobody catches it, and nothing of it reaches the outside."""


class Process:
    """Tasks that were begun inside of ``run`` belong to it, and all that these begin."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.stopped = False
        #: what tasks wait for that would go on while it is stopped
        self._standing: list[asyncio.Future[None]] = []
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._at_end: list[Callable[[], None]] = []

    @property
    def runs(self) -> bool:
        return self.alive and not self.stopped

    def run(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Begin work inside of the process. Its errors belong to the caller."""
        context = copy_context()
        context.run(_CURRENT.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    def check(self) -> None:
        """Raises Killed when the process has ended: whatever it does now must have no effect."""
        if not self.alive:
            raise Killed

    def kill(self) -> None:
        """End it at once, wherever each of its tasks stands."""
        if not self.alive:
            return
        self.alive = False
        self.proceed()
        self._bury(_LAST_TURNS)
        for call in self._at_end:
            call()

    def stop(self) -> None:
        """As SIGSTOP does: no task takes another step; what it waits for goes on."""
        self.stopped = self.alive

    def proceed(self) -> None:
        """As SIGCONT does."""
        self.stopped = False
        standing, self._standing = self._standing, []
        for future in standing:
            if not future.done():
                future.set_result(None)

    def continued(self) -> "asyncio.Future[None]":
        """Done when it is continued. One for each task: a task that is cancelled cancels what it waits for."""
        future = asyncio.get_running_loop().create_future()
        self._standing.append(future)
        return future

    def at_end(self, call: Callable[[], None]) -> None:
        """Called when it is killed."""
        self._at_end.append(call)

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    def _bury(self, turns: int) -> None:
        assert turns, f"these tasks of {self.name} cannot be ended: {list(self._tasks)}"
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            asyncio.get_running_loop().call_soon(self._bury, turns - 1)


def task_factory(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> "asyncio.Task[Any]":
    """Tasks of a process take a step only while it runs."""
    context = more.get("context")
    process = context.get(_CURRENT) if context is not None else _CURRENT.get(None)
    if process is None:
        return asyncio.Task(work, loop=loop, **more)
    task = asyncio.Task(_Steps(process, work), loop=loop, **more)
    process.adopt(task)
    return task


class _Steps(Coroutine[Any, Any, Any]):
    """A coroutine that waits, in the middle of whatever it does, while its process is stopped."""

    __slots__ = ("_late", "_process", "_work")

    def __init__(self, process: Process, work: Coroutine[Any, Any, Any]) -> None:
        self._process = process
        self._work = work
        #: what was thrown into it while it was stopped
        self._late: BaseException | None = None

    def send(self, value: Any) -> Any:
        if self._process.stopped:
            return self._wait()
        if self._late is not None:
            late, self._late = self._late, None
            return self._work.throw(late)
        return self._work.send(value)

    def throw(self, error: Any, *more: Any) -> Any:
        if self._process.stopped:
            self._late = error
            return self._wait()
        return self._work.throw(error)

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        raise NotImplementedError("it is the body of a task")

    def _wait(self) -> Any:
        continued = self._process.continued()
        # what ``await continued`` would give to the task
        continued._asyncio_future_blocking = True
        return continued
