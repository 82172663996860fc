"""Reads and controls a running emulator over HTTP: its ledger, its counters, its scenario."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

from dispatcher.local.errors import EmulatorUnreachable
from dispatcher.local.ledger import LedgerFax, fax_from

_TIMEOUT_S = 60.0
#: a ledger may have a million lines
_LEDGER_TIMEOUT_S = 300.0


class EmulatorApi:
    """The control interface of the emulator at ``url``. Every method raises EmulatorUnreachable."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ledger(self) -> list[LedgerFax]:
        """Return the faxes that the emulator accepted."""
        return [fax_from(line) for line in self.ledger_lines()]

    def ledger_lines(self) -> list[dict[str, Any]]:
        """Return the accepted faxes with all fields that the emulator reports."""
        with self._request("ledger", timeout_s=_LEDGER_TIMEOUT_S) as answer:
            return [json.loads(line) for line in answer]

    def stats(self) -> dict[str, Any]:
        """Return the counters of the emulator."""
        with self._request("stats") as answer:
            stats: dict[str, Any] = json.load(answer)
        return stats

    def play(self, scenario: str) -> None:
        """Replace the scenario (TOML); with an empty one every fax is delivered."""
        with self._request("scenario", scenario.encode()):
            pass

    def begin_outage(self, how: str, seconds: float) -> None:
        """Let the emulator fail for some time; ``how`` is a kind of outage that scenarios know."""
        body = json.dumps({"how": how, "seconds": seconds}).encode()
        with self._request("outage", body, content_type="application/json"):
            pass

    @contextmanager
    def _request(
        self, path: str, body: bytes | None = None, *, content_type: str = "", timeout_s: float = _TIMEOUT_S
    ) -> Iterator[HTTPResponse]:
        headers = {"Content-Type": content_type} if content_type else {}
        request = urllib.request.Request(f"{self._url}/emulator/{path}", data=body, headers=headers)  # noqa: S310  # our own address
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310  # as above
                yield answer
        except OSError as error:
            raise EmulatorUnreachable(f"the emulator no longer answers ({error})") from error
