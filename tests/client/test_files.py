"""Files over a real connection: streamed with progress, repeated from the start, saved whole or not at all."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from dispatcher.client import BadInput, Client, NotReachable

UPLOAD = {"upload": "u", "lines": 3, "accepted": 2, "refused": 1, "duplicates": 0}


class _Api(BaseHTTPRequestHandler):
    """Takes uploads and gives reports; ``breaks`` is how many requests it drops half-way first."""

    protocol_version = "HTTP/1.1"
    breaks = 0
    uploads: ClassVar[list[tuple[str, str, bytes]]]

    def do_POST(self) -> None:
        if self._drops():
            return
        body = self._chunks() if "chunked" in self.headers.get("Transfer-Encoding", "") else self._body()
        self.uploads.append((self.headers.get("Idempotency-Key", ""), self.headers["Content-Type"], body))
        self._send(json.dumps(UPLOAD).encode())

    def do_GET(self) -> None:
        if not self._drops(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nline,ref"):
            self._send(b"line,reference\r\n" * 1000)

    def _drops(self, first: bytes = b"") -> bool:
        if type(self).breaks == 0:
            return False
        type(self).breaks -= 1
        self.rfile.read(10) if self.command == "POST" else self.wfile.write(first)
        self.close_connection = True
        return True

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[type[_Api]]:
    class Api(_Api):
        uploads: ClassVar[list[tuple[str, str, bytes]]] = []
        url = ""

    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        Api.url = f"http://127.0.0.1:{server.server_port}"
        yield Api
        server.shutdown()
        thread.join()


@pytest.fixture
def client(api: type[_Api]) -> Iterator[Client]:
    with Client(api.url) as client:  # type: ignore[attr-defined]  # set by the fixture
        yield client


def test_a_list_arrives_as_it_is_with_progress_up_to_its_size(api: type[_Api], client: Client, tmp_path: Path) -> None:
    content = b"number\n" + b"+12025550101\n" * 20_000
    path = tmp_path / "list.CSV"
    path.write_bytes(content)
    seen: list[tuple[int, int]] = []
    assert client.upload_recipients("b1", path, progress=lambda *p: seen.append(p)).accepted == 2
    ((key, kind, body),) = api.uploads
    assert (kind, body, bool(key)) == ("text/csv", content, True)
    assert seen[-1] == (len(content), len(content))
    assert seen == sorted(seen)


def test_an_upload_that_broke_is_repeated_whole_under_the_same_key(
    api: type[_Api], client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "list.ndjson"
    path.write_bytes(b'{"number": "+12025550101"}\n' * 50_000)
    api.breaks = 1
    client.upload_recipients("b1", path, key="mine")
    assert api.uploads == [("mine", "application/x-ndjson", path.read_bytes())]


def test_a_report_is_written_and_its_lines_counted(client: Client, tmp_path: Path) -> None:
    seen: list[int] = []
    written = client.report("b1", tmp_path / "report.csv", progress=seen.append)
    assert written == (tmp_path / "report.csv").stat().st_size == 16_000
    assert seen[-1] == 1000


def test_a_report_that_broke_half_way_is_fetched_again(api: type[_Api], client: Client, tmp_path: Path) -> None:
    api.breaks = 1
    assert client.report("b1", tmp_path / "report.csv") == 16_000


def test_a_report_that_never_comes_whole_leaves_no_file(api: type[_Api], tmp_path: Path) -> None:
    api.breaks = 1000
    with Client(api.url, patience_s=0.1) as client, pytest.raises(NotReachable):  # type: ignore[attr-defined]  # as above
        client.report("b1", tmp_path / "report.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_cannot_be_written_names_the_file(client: Client, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"report\.csv cannot be written"):
        client.report("b1", tmp_path / "no folder" / "report.csv")
