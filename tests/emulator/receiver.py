"""An HTTP server for tests that stores the requests it receives and sends prepared responses."""

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
    """A received request."""

    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def parts(self) -> dict[str, Message]:
        """The parts of a multipart body, by name."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        message = BytesParser().parsebytes(head + self.body)
        parts = {}
        for part in message.get_payload():
            assert isinstance(part, Message)
            parts[str(part.get_param("name", header="content-disposition"))] = part
        return parts

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        body: dict[str, Any] = json.loads(self.body)
        return body


class CallbackServer(ThreadingHTTPServer):
    """Responds with an empty 200, unless ``responses`` contains (status, content type, body) for the next request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.deliveries: queue.Queue[Delivery] = queue.Queue()
        self.responses: queue.Queue[tuple[int, str, bytes]] = queue.Queue()

    def url(self, path: str = "/callback", credentials: str = "") -> str:
        """Return a URL of this server; ``credentials`` has the form ``user:password@``."""
        return f"http://{credentials}127.0.0.1:{self.server_port}{path}"

    def next_delivery(self) -> Delivery:
        """Wait for the next request and return it."""
        return self.deliveries.get(timeout=WAIT_S)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: CallbackServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        self.server.deliveries.put(Delivery(method=self.command, path=self.path, headers=self.headers, body=body))
        try:
            status, content_type, content = self.server.responses.get_nowait()
        except queue.Empty:
            status, content_type, content = 200, "text/plain", b""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def running_receiver() -> Iterator[CallbackServer]:
    """Run a receiver in a thread until the context ends."""
    with CallbackServer() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()
