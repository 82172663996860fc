"""An HTTP server whose every text is an attack on the terminal of the person who reads it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from pydantic import BaseModel

from dispatcher.client import (
    Account,
    Batch,
    BatchPage,
    CancelledJobs,
    CommandedBatch,
    Diagnosis,
    Forecast,
    HoldPage,
    JobPage,
    JobStory,
    ReleasedHolds,
    Removed,
    RerunPreview,
    Upload,
)
from dispatcher.schema.responses import Document
from dispatcher.sinch.models import CoverPage, Email, EmailNumber, Fax, Service, ServiceNumber

#: clear the screen, set the title, go up and overwrite, colour, ring, go back, turn the direction of the line
ATTACK = "\x1b[2J\x1b]0;owned\x07\x1b[1A\r\x9b31m\x7f\x08\x00\u202e\u2066[red]x[/red]:bell:"
#: what of it may be shown
SHOWN = r"\u202e\u2066[red]x[/red]:bell:"
_TIME = "2026-01-01T00:00:00Z"
_PROVIDER_LISTS = ("faxes", "services", "numbers", "phoneNumbers", "emails", "coverPages")


def every_text(model: type[BaseModel]) -> dict[str, Any]:
    """Return an answer of this form, with the attack as every text and as every key."""
    schema = model.model_json_schema()
    return dict(_value(schema, schema.get("$defs", {})))


def _value(schema: dict[str, Any], known: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _value(known[schema["$ref"].rpartition("/")[2]], known)
    if "anyOf" in schema:
        return _value(next(each for each in schema["anyOf"] if each.get("type") != "null"), known)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object" if "properties" in schema:
            return {name: _value(each, known) for name, each in schema["properties"].items()}
        case "object":
            key = _value(schema.get("propertyNames", {}), known)
            return {key: _value(schema.get("additionalProperties") or {}, known)}
        case "array":
            return [_value(schema.get("items") or schema.get("prefixItems", [{}])[0], known)]
        case "integer" | "number":
            return 7
        case "boolean":
            return False
    return _TIME if schema.get("format") == "date-time" else ATTACK


def _of_the_api(path: str) -> dict[str, Any]:
    if path.endswith("/holds/release"):
        return every_text(ReleasedHolds)
    if path.startswith("/v1/account"):
        account = every_text(Account)
        return account | {"rollback": account["rollback"] | {"resumed_at": None}}
    for part, model in (
        ("/v1/holds", HoldPage),
        ("/v1/documents", Document),
        ("/forecast", Forecast),
        ("/diagnosis", Diagnosis),
        ("/v1/jobs/", JobStory),
        ("/jobs/cancel", CancelledJobs),
        ("/jobs", JobPage),
        ("/recip", Upload),
    ):
        if part in path:
            return every_text(model) | ({"next": None} if model is CancelledJobs else {})
    batch = every_text(CommandedBatch) | every_text(Batch) | {"state": "finished"}  # otherwise nobody stops watching
    if path.endswith("/rerun"):
        batch = every_text(RerunPreview) | {"complete": True} | batch
    return batch | every_text(BatchPage) | {"batches": [batch], "id": "b"}  # what was created is used in addresses


def _of_the_provider() -> dict[str, Any]:
    resource: dict[str, Any] = {}
    for model in (Fax, Service, ServiceNumber, EmailNumber, Email, CoverPage):
        resource |= every_text(model)
    # a resource whose id is no id is not read at all
    item = resource | {"id": "plain", "defaultForProject": True, "phoneNumbers": [resource]}
    return item | {name: [item] for name in _PROVIDER_LISTS}


def _emails_of_a_number() -> dict[str, Any]:
    return {"emails": [ATTACK]}


class _Hostile(BaseHTTPRequestHandler):
    """Answers requests of the API and of the provider, all of them with ``status``."""

    status = 200

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        if path.startswith("/v3/"):
            body = _emails_of_a_number() if "/numbers/" in path else _of_the_provider()
        else:
            body = _of_the_api(path) | (every_text(Removed) if self.command == "DELETE" else {})
        if self.status != 200:  # an error in all forms that are understood
            body = {"title": ATTACK, "detail": ATTACK, "errors": [{"field": ATTACK, "message": ATTACK}], "error": body}
        text = json.dumps(body | {"message": ATTACK}).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815  # names of the base class

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def hostile_server(status: int = 200) -> Iterator[str]:
    """Run the server in a thread, and yield its URL."""
    handler = type("Handler", (_Hostile,), {"status": status})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
