"""Every response over a real socket is an outcome of a send, or the fax or a ``SinchError`` of a read."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.core.outcome import Accepted, NotSent, RateLimited, Refused, SendOutcome, Unclear
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import SinchError
from dispatcher.sinch.responses import SinchResponse, error_from_response
from dispatcher.sinch.wire import JOB_LABEL, FaxQuery, read_fax, read_page
from tests.sinch.odd_responses import BODIES, EVERY_ODD_RESPONSE, LIMITED, REFUSED, UNUSABLE
from tests.sinch.wire_client import FAX, LABELS, client_for
from tests.sinch.wire_server import (
    Behaviour,
    Reader,
    ReceivedRequest,
    WireServer,
    Writer,
    reply,
    respond_with,
    running_server,
)

pytestmark = pytest.mark.anyio

#: maximum characters of a reason or message
MAX_REASON_CHARS = 1_000
#: the only odd responses that are readable lists
READABLE_LISTS = {"no fax", "two faxes"}


def requested_name(request: ReceivedRequest) -> str:
    """Return the name of the response that a request asks for: its job label, its number, or its fax ID."""
    path = urlsplit(request.line.split()[1])
    if request.body:
        return str(json.loads(request.body)["labels"][JOB_LABEL])
    return parse_qs(path.query)["to"][0] if path.query else unquote(path.path.rpartition("/")[2])


def respond_by_name(answers: Mapping[str, bytes]) -> Behaviour:
    async def behave(server: WireServer, reader: Reader, writer: Writer) -> None:
        while True:
            writer.write(answers[requested_name(await server.read(reader))])
            await writer.drain()

    return behave


def faults_of(outcome: SendOutcome) -> list[str]:
    """Return the texts and waits of an outcome that cannot be logged or stored."""
    match outcome:
        case Accepted(update=update):
            texts = [update.fax_id, update.error_type, update.message, update.to, update.job]
        case Refused(message=message, fields=fields):
            texts = [message, *fields]
        case RateLimited():
            texts = []
        case Unclear(reason=reason) | NotSent(reason=reason):
            texts = [reason]
    faults = [
        text for text in texts if len(text.encode()) > 4 * MAX_REASON_CHARS or text.splitlines() not in ([], [text])
    ]
    match outcome:
        case RateLimited(retry_after_s=float(wait_s)) | Unclear(retry_after_s=float(wait_s)) if not wait_s >= 0:
            faults.append(f"a wait of {wait_s} s")
    return faults


async def test_any_answer_to_a_post_is_an_outcome_and_nothing_is_raised_or_repeated() -> None:
    """A request that the provider may have acted on is unclear; a refusal accepted nothing."""
    async with running_server(respond_by_name(EVERY_ODD_RESPONSE)) as server, client_for(server.url) as client:
        sends = (
            client.send(replace(FAX, labels=replace(LABELS, job=name).labels()), total_s=10)
            for name in EVERY_ODD_RESPONSE
        )
        outcomes = dict(zip(EVERY_ODD_RESPONSE, await asyncio.gather(*sends), strict=True))
    kinds: dict[str, type] = dict.fromkeys(UNUSABLE, Unclear) | dict.fromkeys(REFUSED, Refused)
    kinds |= dict.fromkeys(LIMITED, RateLimited)
    assert {name: type(outcome) for name, outcome in outcomes.items()} == kinds
    assert {name: faults for name, outcome in outcomes.items() if (faults := faults_of(outcome))} == {}
    assert sorted(map(requested_name, server.requests)) == sorted(EVERY_ODD_RESPONSE)


@pytest.mark.parametrize("read", ["fax", "list"])
async def test_no_odd_response_to_a_read_counts_as_an_update(read: str) -> None:
    async def read_by_name(client: FaxClient, name: str) -> object:
        try:
            if read == "list":
                return await client.list_page(FaxQuery(to=name), 1, total_s=10)
            return await client.fax(name, total_s=10)
        except SinchError as error:
            return str(error)

    async with running_server(respond_by_name(EVERY_ODD_RESPONSE)) as server, client_for(server.url) as client:
        answers = await asyncio.gather(*(read_by_name(client, name) for name in EVERY_ODD_RESPONSE))
    results = dict(zip(EVERY_ODD_RESPONSE, answers, strict=True))
    readable = {name for name, answer in results.items() if not isinstance(answer, str)}
    assert readable == (READABLE_LISTS if read == "list" else set())
    assert max(len(answer) for answer in answers if isinstance(answer, str)) <= MAX_REASON_CHARS


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(status=st.integers(200, 999), body=BODIES, retry_after=st.text(st.characters(codec="latin-1")))
async def test_any_status_with_any_body_and_header_is_an_outcome(status: int, body: bytes, retry_after: str) -> None:
    header = "".join(char for char in retry_after if char.isprintable())
    async with (
        running_server(respond_with(reply(status, body, Retry_After=header))) as server,
        client_for(server.url) as client,
    ):
        assert faults_of(await client.send(FAX, total_s=5)) == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(status=st.integers(100, 999), body=BODIES, headers=st.dictionaries(st.text(), st.text(st.characters())))
def test_any_response_is_readable_or_a_sinch_error(status: int, body: bytes, headers: dict[str, str]) -> None:
    """Without a socket, to try more of them."""
    response_headers = {name: value for name in ("retry-after", "date", "location") for value in headers.values()}
    response = SinchResponse(status=status, headers=response_headers, body=body)
    error = error_from_response(response, now_s=1_800_000_000.0)
    assert error is None or len(str(error)) <= MAX_REASON_CHARS
    for read in (lambda: read_fax(body, status=status), lambda: read_page(body, FaxQuery(), 1)):
        with suppress(SinchError):
            read()
