"""The examples of docs/client.md run as they stand, but for the address of the server."""

import json
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "client.md").read_text(encoding="utf-8"), re.DOTALL)
BATCH = {"id": "b1", "state": "finished", "counts": {"delivered": 2, "failed": 1}, "rows": 3}
JOB = {"id": "b1.0", "batch": "b1", "row": 0, "line": 2, "number": "+12025550101", "state": "failed"}
#: by method and path
ANSWERS: dict[tuple[str, str], Any] = {
    ("POST", "/v1/documents"): {"id": "d1", "size": 1, "pages": 1},
    ("POST", "/v1/batches"): BATCH,
    ("POST", "/v1/batches/b1/recipients"): {"lines": 3, "accepted": 3, "refused": 0, "duplicates": 0},
    ("POST", "/v1/batches/b1/start"): BATCH | {"in_flight": 0},
    ("GET", "/v1/batches/b1"): BATCH,
    ("GET", "/v1/batches/b1/jobs"): {"jobs": [JOB | {"category": "busy"}], "next": None},
}


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        if self.headers["Transfer-Encoding"] == "chunked":
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        content = json.dumps(ANSWERS[self.command, self.path.partition("?")[0]]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer  # noqa: N815  # names that the library looks for

    def log_message(self, format: str, *args: object) -> None:  # as the library calls it
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs_as_it_stands(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], example: str
) -> None:
    for name in ("letter.pdf", "recipients.csv"):
        shutil.copy(ROOT / "examples" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BULKFAX_API_URL", url)
    monkeypatch.setenv("BULKFAX_API_KEY", "KEY")
    exec(compile(example.replace("http://127.0.0.1:8080", url), "docs/client.md", "exec"), {"__name__": "__main__"})
    assert "'delivered': 2" in capsys.readouterr().out


def test_both_examples_are_there() -> None:
    assert len(EXAMPLES) == 2
