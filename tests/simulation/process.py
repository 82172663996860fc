"""A simulated process, which can be killed at any await, stopped and resumed, in one event loop with all others."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar, copy_context
from typing import Any

_CURRENT: ContextVar["Process"] = ContextVar("process")
#: iterations of the loop within which all tasks of a killed process have to end
_MAX_TURNS = 200


class Killed(asyncio.CancelledError):
    """Raised where a killed process would continue. Production code does not catch it."""


class Process:
    """A simulated process. Tasks that ``run`` creates belong to it, and so do all tasks that these create."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.stopped = False
        #: futures of tasks that would have continued while the process was stopped
        self._paused: list[asyncio.Future[None]] = []
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._on_end: list[Callable[[], None]] = []

    @property
    def runs(self) -> bool:
        """Whether the process is alive and not stopped."""
        return self.alive and not self.stopped

    def run(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Create a task in the process. Its exceptions are those of the returned task."""
        context = copy_context()
        context.run(_CURRENT.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    def check(self) -> None:
        """Check that the process is alive.

        Raises:
            Killed: The process has ended, and must not have any further effect.
        """
        if not self.alive:
            raise Killed

    def kill(self) -> None:
        """End the process at once, wherever its tasks are."""
        if not self.alive:
            return
        self.alive = False
        self.resume()
        self._cancel_tasks(_MAX_TURNS)
        for call in self._on_end:
            call()

    def stop(self) -> None:
        """Stop the process as SIGSTOP does: no task continues, but what the tasks wait for does."""
        self.stopped = self.alive

    def resume(self) -> None:
        """Resume the process as SIGCONT does."""
        self.stopped = False
        paused, self._paused = self._paused, []
        for future in paused:
            if not future.done():
                future.set_result(None)

    def wait_until_resumed(self) -> "asyncio.Future[None]":
        """Return a future that is done when the process resumes. Each task has its own, as cancellation cancels it."""
        future = asyncio.get_running_loop().create_future()
        self._paused.append(future)
        return future

    def on_end(self, call: Callable[[], None]) -> None:
        """Call a function when the process is killed."""
        self._on_end.append(call)

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        """Add a task to the process."""
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    def _cancel_tasks(self, turns: int) -> None:
        assert turns, f"these tasks of {self.name} cannot be ended: {list(self._tasks)}"
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            asyncio.get_running_loop().call_soon(self._cancel_tasks, turns - 1)


def task_factory(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> "asyncio.Task[Any]":
    """Create a task, which continues only while the process that it belongs to is running."""
    context = more.get("context")
    process = context.get(_CURRENT) if context is not None else _CURRENT.get(None)
    if process is None:
        return asyncio.Task(work, loop=loop, **more)
    task = asyncio.Task(_PausableCoroutine(process, work), loop=loop, **more)
    process.adopt(task)
    return task


class _PausableCoroutine(Coroutine[Any, Any, Any]):
    """A coroutine that waits at its next await while its process is stopped."""

    __slots__ = ("_pending_error", "_process", "_work")

    def __init__(self, process: Process, work: Coroutine[Any, Any, Any]) -> None:
        self._process = process
        self._work = work
        #: the exception that was thrown into it while the process was stopped
        self._pending_error: BaseException | None = None

    def send(self, value: Any) -> Any:
        if self._process.stopped:
            return self._wait()
        if self._pending_error is not None:
            error, self._pending_error = self._pending_error, None
            return self._work.throw(error)
        return self._work.send(value)

    def throw(self, error: Any, *more: Any) -> Any:
        if self._process.stopped:
            self._pending_error = error
            return self._wait()
        return self._work.throw(error)

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        raise NotImplementedError("only a task runs this coroutine")

    def _wait(self) -> Any:
        resumed = self._process.wait_until_resumed()
        # as ``await resumed`` does
        resumed._asyncio_future_blocking = True
        return resumed
