"""The code that both peers share: a POST with one client per thread. The document is encoded once.

Environment variables configure it: PEER_REDIS_URL, PEER_FAXES_URL, PEER_KEY, PEER_SECRET and PEER_DOCUMENT (a path, or
empty to send the document by URL).
"""

import base64
import os
import threading
from functools import cache
from pathlib import Path

import httpx

_LOCAL = threading.local()
_TOTAL_S = 20.0


def send(number: str, reference: str) -> None:
    """Send a fax.

    Raises:
        httpx.HTTPError: The provider did not accept the fax.
    """
    fax = {"to": number, "labels": {"reference": reference}, "maxRetries": 0, **_content()}
    _client().post(os.environ["PEER_FAXES_URL"], json=fax).raise_for_status()


def _client() -> httpx.Client:
    """Return the client of this thread. The pool of a shared client gets slower with the square of its connections."""
    if not hasattr(_LOCAL, "client"):
        key = (os.environ["PEER_KEY"], os.environ["PEER_SECRET"])
        # the emulator uses plain HTTP, and a TLS context takes 40 ms to create in each thread
        _LOCAL.client = httpx.Client(auth=key, timeout=_TOTAL_S, verify=False)
    client: httpx.Client = _LOCAL.client
    return client


@cache
def _content() -> dict[str, object]:
    path = os.environ["PEER_DOCUMENT"]
    if not path:
        return {"contentUrl": "http://127.0.0.1:9/letter.pdf"}
    encoded = base64.b64encode(Path(path).read_bytes()).decode()
    return {"files": [{"file": encoded, "fileType": "PDF"}]}
