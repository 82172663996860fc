"""Nothing long runs on the event loop: lists, reports and pages are work of the CPU thread, one piece at a time."""

import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dispatcher.core.job import State
from dispatcher.cpu_thread import THREAD_NAME
from dispatcher.recipients import read_rows
from dispatcher.recipients.read_rows import RowReader
from dispatcher.runtime import Runtime
from dispatcher.service import report, uploads
from dispatcher.store import codec
from tests.service.samples import draft, end_jobs, number, running

pytestmark = pytest.mark.anyio

#: rows of a list with two chunks, and a refused row among them
ROWS = 1_200
LIST = b"fax,name\n" + b"".join(f"{number(row)},A\n".encode() for row in range(ROWS)) + b"x,B\n"


def watched(patch: pytest.MonkeyPatch, owner: object, name: str, threads: set[str]) -> None:
    """Record the threads in which a function or method runs from now on."""
    original: Callable[..., Any] = getattr(owner, name)

    def recorded(*arguments: Any, **options: Any) -> Any:
        threads.add(threading.current_thread().name.partition("_")[0])
        return original(*arguments, **options)

    patch.setattr(owner, name, recorded)


async def upload(api: httpx.AsyncClient, runtime: Runtime, watch: Callable[[], None]) -> None:
    batch = await draft(runtime.store)
    watch()
    url = f"/v1/batches/{batch}/recipients"
    answer = await api.post(url, content=LIST, headers={"Content-Type": "text/csv"})
    assert (answer.json()["accepted"], answer.json()["refused"]) == (ROWS, 1)
    assert len((await api.get(f"/v1/batches/{batch}/refused")).json()["refused"]) == 1


async def rerun(api: httpx.AsyncClient, runtime: Runtime, watch: Callable[[], None]) -> None:
    batch = await running(runtime.store, ROWS)
    await end_jobs(runtime.store, batch, dict.fromkeys(range(ROWS), (State.FAILED, "busy")))
    watch()
    answer = await api.post(f"/v1/batches/{batch}/rerun", json={"states": ["failed"], "start": False})
    assert answer.json()["rows"] == ROWS


async def read_report(api: httpx.AsyncClient, runtime: Runtime, watch: Callable[[], None]) -> None:
    batch = await running(runtime.store, ROWS)
    await end_jobs(runtime.store, batch, {0: (State.FAILED, "busy")}, why="It was busy.")
    watch()
    assert (await api.get(f"/v1/batches/{batch}/report")).text.count("\r\n") == ROWS + 1


@pytest.mark.parametrize(
    ("use", "work"),
    [
        (
            upload,
            [
                (RowReader, "read"),
                (read_rows, "_normalized"),
                (uploads._OpenChunk, "content"),
                (codec, "encode_recipients"),
                (codec, "encode_refused"),
                (codec, "decode_refused"),
            ],
        ),
        (rerun, [(codec, "decode_record"), (codec, "decode_recipients"), (codec, "encode_recipients")]),
        (
            read_report,
            [(codec, "decode_record"), (codec, "decode_recipients"), (codec, "decode_history"), (report, "_job_line")],
        ),
    ],
)
async def test_work_that_grows_with_a_list_is_done_beside_the_event_loop(
    use: Callable[[httpx.AsyncClient, Runtime, Callable[[], None]], Any],
    work: list[tuple[object, str]],
    api: httpx.AsyncClient,
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: dict[str, set[str]] = {name: set() for _, name in work}

    def watch() -> None:
        for owner, name in work:
            watched(monkeypatch, owner, name, threads[name])

    await use(api, runtime, watch)
    assert threads == {name: {THREAD_NAME} for _, name in work}
