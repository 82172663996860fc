"""``python -m benchmarks.bare``: faxes by the product's own HTTP client and nothing else, so many in flight.

The limit that the dispatcher stands against. Prints one line: {"seconds": ..., "cpu_s": ...}.
"""

import argparse
import asyncio
import base64
import json
import time
from itertools import count, takewhile
from pathlib import Path

from benchmarks.cluster import DOCUMENT_URL
from benchmarks.recipients import rows
from dispatcher.core.outcome import Accepted
from dispatcher.sinch.client import FaxClient, SinchAccount, make_client
from dispatcher.sinch.order import EncodedFile, FaxOrder
from dispatcher.sinch.wire import AttemptLabels

_TOTAL_S = 20.0


async def send(client: FaxClient, faxes: int, in_flight: int, document: bytes | None) -> None:
    """Raises RuntimeError when the provider does not take one."""
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
                raise RuntimeError(f"the provider took no fax: {outcome}")

    await asyncio.gather(*(work() for _ in range(in_flight)))


async def _main(given: argparse.Namespace) -> None:
    account = SinchAccount(
        project_id=given.project,
        key_id=given.key,
        key_secret=given.secret,
        base_url=given.url,
        auth_url=f"{given.url}/oauth2/token",
        connections=given.in_flight,
    )
    document = given.document.read_bytes() if given.document else None
    client = make_client(account)
    try:
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        await send(client, given.faxes, given.in_flight, document)
        seconds, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    finally:
        await client.aclose()
    print(json.dumps({"seconds": seconds, "cpu_s": cpu_s}))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare")
    for name in ("--url", "--project", "--key", "--secret"):
        parser.add_argument(name, required=True)
    parser.add_argument("--faxes", type=int, required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    parser.add_argument("--document", type=Path)
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
