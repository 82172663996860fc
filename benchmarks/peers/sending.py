"""The part that both peers share: one POST by a client of one's own for each thread, the document encoded once.

Set up by the environment: PEER_REDIS_URL, PEER_FAXES_URL, PEER_KEY, PEER_SECRET, PEER_DOCUMENT (a path, or empty for a
document by address).
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
    """Raises httpx.HTTPError when the provider does not take the fax."""
    fax = {"to": number, "labels": {"reference": reference}, "maxRetries": 0, **_content()}
    _client().post(os.environ["PEER_FAXES_URL"], json=fax).raise_for_status()


def _client() -> httpx.Client:
    """One for each thread: a shared one has a pool whose cost grows with the square of its connections."""
    if not hasattr(_LOCAL, "client"):
        key = (os.environ["PEER_KEY"], os.environ["PEER_SECRET"])
        # the double speaks plain HTTP, and a TLS context for each thread would cost 40 ms each
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
