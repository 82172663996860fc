"""Raw requests to an emulator, not made by our own client."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from dispatcher.emulator import EmulatorConfig
from dispatcher.emulator.server import RunningEmulator

TWO_PAGES = (
    b"%PDF-1.4\n1 0 obj\n<</Type /Catalog /Pages 2 0 R>>\nendobj\n"
    b"2 0 obj\n<</Type /Pages /Count 2 /Kids [3 0 R 4 0 R]>>\nendobj\n"
    b"3 0 obj\n<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]>>\nendobj\n"
    b"4 0 obj\n<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]>>\nendobj\n"
    b"trailer\n<</Root 1 0 R>>\n%%EOF\n"
)
PDF_FILE = {"file": base64.b64encode(TWO_PAGES).decode(), "fileType": "PDF"}
WAIT_S = 10.0
T = TypeVar("T")


class Caller(httpx.Client):
    """An HTTP client below the project's path, with Basic credentials."""

    def __init__(self, where: RunningEmulator, *, timeout: float = 10.0) -> None:
        self.where = where
        self.config: EmulatorConfig = where.config
        super().__init__(
            base_url=f"{where.url}/v3/projects/{where.config.project_id}",
            auth=(where.config.key_id, where.config.key_secret),
            timeout=timeout,
            # Plain HTTP to this machine: no certificates to load, no proxy to ask.
            verify=False,
            trust_env=False,
        )

    def fax(self, to: str | list[str] = "+12025550101", **fields: Any) -> httpx.Response:
        """Send a small PDF as JSON."""
        return self.post("/faxes", json={"to": to, "files": [PDF_FILE], **fields})

    def sent(self, to: str = "+12025550101", **fields: Any) -> dict[str, Any]:
        """Send, expect success, return the Fax."""
        answer = self.fax(to, **fields)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def final(self, fax_id: str) -> dict[str, Any]:
        """The Fax once it is final."""

        def ended() -> dict[str, Any] | None:
            shown: dict[str, Any] = self.get(f"/faxes/{fax_id}").json()
            return shown if shown["status"] in ("COMPLETED", "FAILURE") else None

        return eventually(ended)

    def listed(self, **asked: Any) -> list[str]:
        """Ids of the faxes that a query lists."""
        answer = self.get("/faxes", params=asked)
        assert answer.status_code == 200, answer.text
        return [fax["id"] for fax in answer.json()["faxes"]]

    def tool(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Call one of the emulator's own paths, without credentials."""
        return self.request(method, f"{self.where.url}/emulator/{path}", auth=None, **more)

    def scenario(self, text: str) -> None:
        answer = self.tool("POST", "scenario", content=text)
        assert answer.status_code == 200, answer.text

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.tool("GET", "ledger").text.splitlines()]

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = self.tool("GET", "stats").json()
        return found

    @property
    def default_service(self) -> str:
        found = self.get("/services?pageSize=1000").json()["services"]
        return str(next(service["id"] for service in found if service["defaultForProject"]))


def eventually(look: Callable[[], T | None]) -> T:
    """Look again and again until there is something; looking is the only way to learn of it."""
    deadline = time.monotonic() + WAIT_S
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.005)
