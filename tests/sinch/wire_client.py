"""Clients of a test server, and a fax to send."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from dispatcher.sinch.auth import Auth, Basic
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.order import FaxOrder
from dispatcher.sinch.pool import HttpPool
from dispatcher.sinch.wire import AttemptLabels

LABELS = AttemptLabels(job="b1.7", attempt=2)
FAX = FaxOrder(to=("+12025550123",), labels=LABELS.labels(), content_urls=("https://example.org/letter.pdf",))

ACCEPTED = json.dumps({"id": "01FAX", "status": "IN_PROGRESS", "to": "+12025550123"}).encode()


@asynccontextmanager
async def client_for(
    url: str, *, auth: Auth | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[FaxClient]:
    """Open a client of the server at ``url``, with Basic credentials by default."""
    client = FaxClient(HttpPool(8, transport=transport), auth or Basic("key", "secret"), url, "project")
    try:
        yield client
    finally:
        await client.aclose()
