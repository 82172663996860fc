"""``python -m benchmarks.bare``: sends faxes with bulkfax's HTTP client in a plain loop, without queue and records.

This is the upper limit with which the dispatcher is compared. Prints one line: {"seconds": ..., "cpu_s": ...}.
"""

import argparse
import asyncio
import base64
import json
import os
import time
from itertools import count, takewhile
from pathlib import Path

from benchmarks.cluster import DOCUMENT_URL, KEY_VARIABLE
from benchmarks.recipients import rows
from dispatcher.core.outcome import Accepted
from dispatcher.sinch.client import FaxClient, SinchAccount, make_client
from dispatcher.sinch.order import EncodedFile, FaxOrder
from dispatcher.sinch.wire import AttemptLabels

_TOTAL_S = 20.0


async def send(client: FaxClient, faxes: int, in_flight: int, document: bytes | None) -> None:
    """Send the faxes, ``in_flight`` at a time.

    Raises:
        RuntimeError: The provider did not accept a fax.
    """
    numbers = [row.number for row in rows(in_flight)]
    files = (EncodedFile(file_type="PDF", base64=base64.b64encode(document)),) if document else ()
    urls = () if document else (DOCUMENT_URL,)
    rows_left = takewhile(lambda row: row < faxes, count())

    async def work() -> None:
        for row in rows_left:
            labels = AttemptLabels(job=f"bare.{row}", attempt=1).labels()
            order = FaxOrder(to=(numbers[row % in_flight],), labels=labels, content_urls=urls, files=files)
            outcome = await client.send(order, total_s=_TOTAL_S)
            if not isinstance(outcome, Accepted):
                raise RuntimeError(f"the provider did not accept a fax: {outcome}")

    await asyncio.gather(*(work() for _ in range(in_flight)))


async def _main(arguments: argparse.Namespace) -> None:
    account = SinchAccount(
        project_id=arguments.project,
        key_id=arguments.key,
        key_secret=os.environ[KEY_VARIABLE],
        base_url=arguments.url,
        auth_url=f"{arguments.url}/oauth2/token",
        connections=arguments.in_flight,
    )
    document = arguments.document.read_bytes() if arguments.document else None
    client = make_client(account)
    try:
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        await send(client, arguments.faxes, arguments.in_flight, document)
        seconds, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    finally:
        await client.aclose()
    print(json.dumps({"seconds": seconds, "cpu_s": cpu_s}))


def main() -> None:
    """Send the faxes that the command line asks for, and print the time that it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare")
    for name in ("--url", "--project", "--key"):
        parser.add_argument(name, required=True)
    parser.add_argument("--faxes", type=int, required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    parser.add_argument("--document", type=Path)
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
