"""Nothing long runs on the event loop: lists, reports and pages are work of the CPU thread, one piece at a time."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dispatcher.api import convert
from dispatcher.core.job import State
from dispatcher.core.options import FaxOptions
from dispatcher.cpu_thread import THREAD_NAME
from dispatcher.recipients import read_rows
from dispatcher.recipients.read_rows import RowReader
from dispatcher.runtime import Runtime
from dispatcher.service import report, rerun_preview, uploads, views
from dispatcher.store import codec
from dispatcher.store.documents import DocumentInfo, Documents
from tests.documents.pdfs import letter
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
    answer = await api.post(f"/v1/batches/{batch}/rerun", json={"reason": "r", "start": False})
    assert answer.json()["rows"] == ROWS


async def preview(api: httpx.AsyncClient, runtime: Runtime, watch: Callable[[], None]) -> None:
    batch = await running(runtime.store, ROWS)
    await end_jobs(runtime.store, batch, dict.fromkeys(range(ROWS), (State.FAILED, "busy")))
    watch()
    answer = await api.post(f"/v1/batches/{batch}/rerun", json={"preview": True})
    assert answer.json()["jobs"] == ROWS


async def cancel(api: httpx.AsyncClient, runtime: Runtime, watch: Callable[[], None]) -> None:
    batch = await running(runtime.store, ROWS)
    watch()
    answer = await api.post(f"/v1/batches/{batch}/jobs/cancel", json={"countries": ["US"], "reason": "r"})
    assert answer.json()["jobs"] == ROWS


async def read_report(api: httpx.AsyncClient, runtime: Runtime, watch: Callable[[], None]) -> None:
    batch = await running(runtime.store, ROWS)
    await end_jobs(runtime.store, batch, {0: (State.FAILED, "busy")}, why="It was busy.")
    watch()
    assert (await api.get(f"/v1/batches/{batch}/report")).text.count("\r\n") == ROWS + 1


async def read_jobs(api: httpx.AsyncClient, runtime: Runtime, watch: Callable[[], None]) -> None:
    batch = await draft(runtime.store, ROWS)
    watch()
    page = (await api.get(f"/v1/batches/{batch}/jobs?limit=1000")).json()
    assert (len(page["jobs"]), page["next"]) == (1000, "999")


async def read_refused(api: httpx.AsyncClient, runtime: Runtime, watch: Callable[[], None]) -> None:
    batch = await draft(runtime.store)
    watch()
    headers = {"Content-Type": "text/csv"}
    await api.post(f"/v1/batches/{batch}/recipients", content=b"fax\n" + b"x\n" * 100, headers=headers)
    assert len((await api.get(f"/v1/batches/{batch}/refused")).json()["refused"]) == 100


@pytest.mark.parametrize(
    ("use", "work"),
    [
        (
            upload,
            [
                (RowReader, "read"),
                (read_rows, "_normalized"),
                (uploads, "recipients_as_json"),
                (codec, "encode_recipients"),
                (codec, "encode_refused"),
                (codec, "decode_refused"),
            ],
        ),
        (rerun, [(codec, "job_facts"), (codec, "decode_recipients"), (codec, "encode_recipients")]),
        (preview, [(codec, "job_facts"), (codec, "decode_recipients"), (rerun_preview, "_permitted")]),
        (cancel, [(codec, "job_facts")]),
        (
            read_report,
            [(codec, "decode_record"), (codec, "decode_recipients"), (codec, "decode_history"), (report, "_job_line")],
        ),
        (read_jobs, [(codec, "decode_record"), (codec, "decode_recipients"), (convert, "job_page")]),
        (read_refused, [(codec, "decode_refused"), (convert, "refused_page")]),
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


async def test_a_page_of_long_rows_is_cut_and_says_where_it_goes_on(api: httpx.AsyncClient, runtime: Runtime) -> None:
    batch = await draft(runtime.store)
    names = ",".join(f"c{index}" for index in range(30))
    row = ",".join(["x" * 2000] * 30)
    body = f"fax,{names}\n" + "".join(f"{number(index)},{row}\n" for index in range(100))
    await api.post(f"/v1/batches/{batch}/recipients", content=body, headers={"Content-Type": "text/csv"})
    rows, after = [], ""
    while after is not None:
        answer = await api.get(f"/v1/batches/{batch}/jobs", params={"after": after, "limit": 1000})
        assert len(answer.content) < 3_000_000
        rows += [job["line"] for job in answer.json()["jobs"]]
        after = answer.json()["next"]
    assert rows == list(range(2, 102))


async def test_a_list_of_large_batches_is_cut_and_says_where_it_goes_on(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "LIST_SIZE", 300_000)
    options = FaxOptions(cover_page_id="c", cover_page_data={f"field {index}": "x" * 1000 for index in range(100)})
    batches = [await draft(runtime.store, options=options) for _ in range(8)]
    shown: list[str] = []
    page = {"next": ""}
    while page["next"] is not None:
        page = (await api.get("/v1/batches", params={"after": page["next"]})).json()
        shown += [batch["id"] for batch in page["batches"]]
    assert shown == sorted(batches, reverse=True)


@pytest.mark.parametrize("form", [False, True])
async def test_only_one_document_at_a_time_is_in_memory(
    form: bool, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = peak = 0

    async def put(self: Documents, content: bytes, name: str, pages: int, **_: object) -> DocumentInfo:
        nonlocal taken, peak
        taken += 1
        peak = max(peak, taken)
        await asyncio.sleep(0.01)
        taken -= 1
        return DocumentInfo(sha256="0" * 64, size=len(content), pages=pages, name=name, created_ms=0)

    monkeypatch.setattr(Documents, "put", put)
    body = {"files": {"file": ("a.pdf", letter(2))}} if form else {"content": letter(2)}
    answers = await asyncio.gather(*(api.post("/v1/documents", **body) for _ in range(4)))
    assert [answer.json()["size"] for answer in answers] == [len(letter(2))] * 4
    assert peak == 1


def _unknown_fields(count: int) -> str:
    return json.dumps({f"field {index}": 0 for index in range(count)})


@pytest.mark.parametrize(
    "body",
    [
        "[" + "[]," * 330_000 + "[]]",
        "[" * 500_000,
        '{"a":' * 150_000,
        _unknown_fields(50_000),
        f'{{"name": "n", "options": {_unknown_fields(50_000)}}}',
        json.dumps({"name": "n", "content_urls": ["x"] * 180_000}),
    ],
    ids=["empty lists", "deep lists", "deep objects", "unknown fields", "unknown options", "many addresses"],
)
async def test_a_megabyte_of_small_values_is_refused_in_few_words(body: str, api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/batches", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert len(answer.content) < 1_000


#: CPU seconds that one callback of the event loop may take in these tests; machines differ, so it is generous
_LONGEST_S = 0.15


async def test_no_callback_of_the_event_loop_computes_for_long(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all that these attacks compute, only small parts are computed on the event loop."""
    longest: list[tuple[float, str]] = []
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        began_s, name = time.thread_time(), repr(handle)
        run(handle)
        longest.append((time.thread_time() - began_s, name))

    batch = await draft(runtime.store, 3_000)
    url = f"/v1/batches/{batch}"
    names = ",".join(f"c{index}" for index in range(299))
    wide = f"fax,{names}\n" + "".join(f"{number(index)}{',' * 299}\n" for index in range(1_000))
    broken = 'fax\n"' + "x\n" * 40_000
    empty = json.dumps({"name": "n", "content_urls": ["x"] * 2_500}).encode()
    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    for content in (wide, broken):
        await api.post(f"{url}/recipients", content=content, headers={"Content-Type": "text/csv"})
    await api.post("/v1/batches", content=empty, headers={"Content-Type": "application/json"})
    for path in ("jobs?limit=1000", "jobs?reference=none", "refused?limit=1000", "report"):
        assert (await api.get(f"{url}/{path}")).status_code == 200
    assert max(longest) < (_LONGEST_S, "")
