"""Clients of a running emulator, over real HTTP."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from dispatcher.sinch.client import FaxClient, SinchAccount, make_client
from dispatcher.sinch.order import EncodedFile, FaxOrder
from dispatcher.sinch.wire import AttemptLabels
from tests.emulator.emulator_client import TWO_PAGES, EmulatorClient

PDF = EncodedFile(file_type="PDF", base64=base64.b64encode(TWO_PAGES))


def account(emulator: EmulatorClient) -> SinchAccount:
    """Return the account of an emulator."""
    return SinchAccount(
        project_id=emulator.config.project_id,
        key_id=emulator.config.key_id,
        key_secret=emulator.config.key_secret,
        base_url=emulator.server.url,
        auth_url=f"{emulator.server.url}/oauth2/token",
    )


@asynccontextmanager
async def client_of(emulator: EmulatorClient, **changes: str) -> AsyncIterator[FaxClient]:
    """Open a client of the emulator's account, with ``changes`` to its fields."""
    client = make_client(replace(account(emulator), **changes))  # type: ignore[arg-type]
    try:
        yield client
    finally:
        await client.aclose()


def fax_to(number: str, **fields: object) -> FaxOrder:
    """Return a fax to a number."""
    labels = AttemptLabels(job="b1.7", attempt=2)
    fax = FaxOrder(to=(number,), labels=labels.labels(), files=(PDF,))
    return replace(fax, **fields)  # type: ignore[arg-type]
