"""Tests of the load generator against a server that records the requests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.load import LoadResult, post, send_all


class _Handler(BaseHTTPRequestHandler):
    """Records each request and responds with the status of the server."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"done")

    def log_message(self, format: str, *args: object) -> None:
        """Do not log requests."""


class _Server(ThreadingHTTPServer):
    """A server that responds with one status."""

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.bodies: list[bytes] = []


@contextmanager
def _serving(status: int) -> Iterator[_Server]:
    with _Server(status) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def _send(server: _Server, count: int) -> LoadResult:
    url = f"http://127.0.0.1:{server.server_port}/fax"
    requests = (post(url, str(n).encode(), content_type="text/plain") for n in range(count))
    return send_all(url, requests, connections=3)


def test_every_request_is_sent_once_and_every_answer_counted() -> None:
    with _serving(200) as server:
        result = _send(server, 20)
    assert result.statuses == {200: 20}
    assert result.successful == 20
    assert sorted(map(int, server.bodies)) == list(range(20))


def test_only_2xx_is_successful() -> None:
    with _serving(503) as server:
        result = _send(server, 4)
    assert result.statuses == {503: 4}
    assert result.successful == 0
