"""An HTTP client for tests of the emulator, independent of ``dispatcher.sinch``."""

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


class EmulatorClient(httpx.Client):
    """An HTTP client with the base URL of the project and Basic credentials."""

    def __init__(self, server: RunningEmulator, *, timeout: float = 10.0) -> None:
        self.server = server
        self.config: EmulatorConfig = server.config
        super().__init__(
            base_url=f"{server.url}/v3/projects/{server.config.project_id}",
            auth=(server.config.key_id, server.config.key_secret),
            timeout=timeout,
            # Plain HTTP to this machine needs neither certificates nor a proxy.
            verify=False,
            trust_env=False,
        )

    def send_fax(self, to: str | list[str] = "+12025550101", **fields: Any) -> httpx.Response:
        """Send a fax with a small PDF, as JSON."""
        return self.post("/faxes", json={"to": to, "files": [PDF_FILE], **fields})

    def send_accepted(self, to: str = "+12025550101", **fields: Any) -> dict[str, Any]:
        """Send a fax, assert that it is accepted, and return the Fax."""
        answer = self.send_fax(to, **fields)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def wait_until_final(self, fax_id: str) -> dict[str, Any]:
        """Wait until a fax is final and return the Fax."""

        def final_fax() -> dict[str, Any] | None:
            shown: dict[str, Any] = self.get(f"/faxes/{fax_id}").json()
            return shown if shown["status"] in ("COMPLETED", "FAILURE") else None

        return eventually(final_fax)

    def list_ids(self, **query: Any) -> list[str]:
        """Return the IDs of the faxes that match a query."""
        answer = self.get("/faxes", params=query)
        assert answer.status_code == 200, answer.text
        return [fax["id"] for fax in answer.json()["faxes"]]

    def control(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Call one of the emulator's control paths, without credentials."""
        return self.request(method, f"{self.server.url}/emulator/{path}", auth=None, **more)

    def load_scenario(self, text: str) -> None:
        """Replace the scenario by this TOML text."""
        answer = self.control("POST", "scenario", content=text)
        assert answer.status_code == 200, answer.text

    def ledger(self) -> list[dict[str, Any]]:
        """Return the entries of the ledger, oldest first."""
        return [json.loads(line) for line in self.control("GET", "ledger").text.splitlines()]

    def stats(self) -> dict[str, Any]:
        """Return the counters of the emulator."""
        stats: dict[str, Any] = self.control("GET", "stats").json()
        return stats

    @property
    def default_service(self) -> str:
        """ID of the default service."""
        services = self.get("/services?pageSize=1000").json()["services"]
        return str(next(service["id"] for service in services if service["defaultForProject"]))


def eventually(poll: Callable[[], T | None]) -> T:
    """Call ``poll`` until it returns something truthy, and return that."""
    deadline = time.monotonic() + WAIT_S
    while True:
        result = poll()
        if result:
            return result
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.005)
