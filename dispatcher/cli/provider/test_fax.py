"""Sends a page to the provider's test number, which accepts every fax and costs nothing."""

import asyncio
import base64
import time

from dispatcher.cli.provider.checks import CheckResult, CheckTarget
from dispatcher.cli.provider.provider_call import error_message
from dispatcher.core.options import FaxOptions
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import SinchError
from dispatcher.sinch.models import Fax
from dispatcher.sinch.order import EncodedFile, FaxOrder

TEST_NUMBER = "+19898989898"
#: maximum wait for the result; a page takes some seconds
TIMEOUT_S = 180.0
_POLL_S = 1.0
_PAGE = EncodedFile(file_type="TXT", base64=base64.b64encode(b"This is a test page of bulkfax.\n"))


async def send_test_fax(client: FaxClient, target: CheckTarget) -> CheckResult:
    """Send the test fax and wait for its result."""
    options = FaxOptions(sender=target.sender, service_id=target.service)
    order = FaxOrder(to=(TEST_NUMBER,), files=(_PAGE,), options=options)
    started_s = time.monotonic()
    try:
        (fax,) = await client.faxes.send(order)
        while not fax.final and time.monotonic() - started_s < TIMEOUT_S:
            await asyncio.sleep(_POLL_S)
            fax = await client.faxes.get(fax.id)
    except SinchError as error:
        return CheckResult(check="test fax", ok=False, text=error_message(error, target.base_url))
    return _result(fax, time.monotonic() - started_s)


def _result(fax: Fax, seconds: float) -> CheckResult:
    if not fax.final:
        text = f"{fax.id} is still {fax.status} after {seconds:.0f} s: see `bulkfax provider faxes show`"
        return CheckResult(check="test fax", ok=None, text=text)
    if fax.status == "COMPLETED":
        return CheckResult(check="test fax", ok=True, text=f"{fax.id} arrived at {TEST_NUMBER} after {seconds:.0f} s")
    text = f"{fax.id} failed with {fax.error_type} {fax.error_code}: {fax.error_message}"
    return CheckResult(check="test fax", ok=False, text=text)
