"""A page to the provider's test number, which behaves like a real fax and costs nothing."""

import asyncio
import base64
import time

from dispatcher.cli.provider.checks import Checked, Expected
from dispatcher.cli.provider.provider_call import sentence
from dispatcher.core.options import FaxOptions
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import SinchError
from dispatcher.sinch.models import Fax
from dispatcher.sinch.order import EncodedFile, FaxOrder

TEST_NUMBER = "+19898989898"
#: how long its end is waited for; a page takes some seconds
PATIENCE_S = 180.0
_LOOK_S = 1.0
_PAGE = EncodedFile(file_type="TXT", base64=base64.b64encode(b"This is a test page of bulkfax.\n"))


async def send_trial(client: FaxClient, wanted: Expected) -> Checked:
    """Send it, and wait for its end."""
    options = FaxOptions(sender=wanted.sender, service_id=wanted.service)
    order = FaxOrder(to=(TEST_NUMBER,), files=(_PAGE,), options=options)
    began_s = time.monotonic()
    try:
        (fax,) = await client.faxes.send(order)
        while not fax.final and time.monotonic() - began_s < PATIENCE_S:
            await asyncio.sleep(_LOOK_S)
            fax = await client.faxes.get(fax.id)
    except SinchError as error:
        return Checked(check="test fax", ok=False, text=sentence(error, wanted.base_url))
    return _ended(fax, time.monotonic() - began_s)


def _ended(fax: Fax, seconds: float) -> Checked:
    if not fax.final:
        text = f"{fax.id} is still {fax.status} after {seconds:.0f} s: look at it with `bulkfax provider faxes show`"
        return Checked(check="test fax", ok=None, text=text)
    if fax.status == "COMPLETED":
        return Checked(check="test fax", ok=True, text=f"{fax.id} arrived at {TEST_NUMBER} after {seconds:.0f} s")
    text = f"{fax.id} failed with {fax.error_type} {fax.error_code}: {fax.error_message}"
    return Checked(check="test fax", ok=False, text=text)
