"""A receiver of webhooks for tests: real HTTP, keeps what it got, answers what it is told."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WAIT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One request as it came."""

    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def parts(self) -> dict[str, Message]:
        """The parts of a multipart body by name."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        message = BytesParser().parsebytes(head + self.body)
        found = {}
        for part in message.get_payload():
            assert isinstance(part, Message)
            found[str(part.get_param("name", header="content-disposition"))] = part
        return found

    @property
    def json(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded


class Receiver(ThreadingHTTPServer):
    """Answers 200 and nothing, unless `answers` holds (status, content type, body) for the next requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: queue.Queue[Delivery] = queue.Queue()
        self.answers: queue.Queue[tuple[int, str, bytes]] = queue.Queue()

    def url(self, path: str = "/callback", credentials: str = "") -> str:
        return f"http://{credentials}127.0.0.1:{self.server_port}{path}"

    def next(self) -> Delivery:
        """The next request, waiting for it."""
        return self.got.get(timeout=WAIT_S)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        self.server.got.put(Delivery(method=self.command, path=self.path, headers=self.headers, body=body))
        try:
            status, content_type, answer = self.server.answers.get_nowait()
        except queue.Empty:
            status, content_type, answer = 200, "text/plain", b""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def receiving() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()
