"""What becomes of the draft that ``bulkfax send`` has created when its list or its start is refused, or breaks off."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from dispatcher.cli.output import CommandFailed
from dispatcher.cli.send import prepare
from dispatcher.client import Client, ClientError, NewBatch

BATCH = {"id": "b1", "name": "n", "state": "draft"}
UPLOAD = {"upload": "K", "lines": 1, "accepted": 0, "refused": 1, "duplicates": 0}


def refused(status: int) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, json={"title": "no", "detail": "no"})


def broken() -> httpx.Response:
    raise httpx.ReadError("gone")


def interrupted() -> httpx.Response:
    raise KeyboardInterrupt


def every_row_refused() -> httpx.Response:
    return httpx.Response(200, json=UPLOAD)


@pytest.mark.parametrize(
    ("upload", "state", "cancelled", "said"),
    [
        (refused(422), "draft", True, "the draft b1 was cancelled"),
        (refused(413), "draft", True, "the draft b1 was cancelled"),
        (refused(415), "draft", True, "the draft b1 was cancelled"),
        (every_row_refused, "draft", True, "the draft b1 was cancelled"),
        (broken, "draft", False, "repeat the command with --key K to continue"),
        (interrupted, "draft", False, "repeat the command with --key K to continue"),
        (refused(503), "draft", False, "repeat the command with --key K to continue"),
        (refused(409), "draft", False, ""),
        (refused(422), "running", False, ""),
    ],
    ids=[
        *("unreadable", "too large", "no list", "every row refused", "broken", "interrupted", "store away"),
        *("another list under the key", "repeated with a bad list after the start"),
    ],
)
def test_a_refused_list_ends_its_draft_and_a_broken_upload_keeps_it(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    upload: Callable[[], httpx.Response],
    state: str,
    cancelled: bool,
    said: str,
) -> None:
    recipients = tmp_path / "list.csv"
    recipients.write_text("fax\nx\n")
    requests: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        request.read()
        requests.append((request.url.path, request.headers.get("Idempotency-Key", "")))
        if request.url.path.endswith("/recipients"):
            return upload()
        return httpx.Response(200, content=json.dumps({**BATCH, "state": state}))

    client = Client(patience_s=0, transport=httpx.MockTransport(answer))
    with client, pytest.raises((ClientError, CommandFailed, KeyboardInterrupt)):
        prepare(client, NewBatch(name="n"), [], recipients, "K")
    assert requests[:2] == [("/v1/batches", "K"), ("/v1/batches/b1/recipients", "K")]
    assert (("/v1/batches/b1/cancel", "") in requests) is cancelled
    assert said in capsys.readouterr().err
