"""Whatever comes back over the wire is an outcome of a send, or an error of ours of a read. On real sockets."""

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
from dispatcher.sinch.answers import Answer, error_of
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import SinchError
from dispatcher.sinch.wire import JOB_LABEL, FaxQuery, read_fax, read_page
from tests.sinch.faxes import FAX, LABELS, calling
from tests.sinch.odd import BODIES, EVERY_ODD_ANSWER, LIMITED, REFUSED, UNUSABLE
from tests.sinch.wire_server import Behaviour, Reader, Seen, WireServer, Writer, answering, reply, serving

pytestmark = pytest.mark.anyio

#: characters of a reason or message
LONGEST = 1_000
#: the only odd answers that are readable lists
READABLE_LISTS = {"no fax", "two faxes"}


def asked_for(seen: Seen) -> str:
    """The name of the answer that a request wants: its label, its number, or its id."""
    path = urlsplit(seen.line.split()[1])
    if seen.body:
        return str(json.loads(seen.body)["labels"][JOB_LABEL])
    return parse_qs(path.query)["to"][0] if path.query else unquote(path.path.rpartition("/")[2])


def answering_by_name(answers: Mapping[str, bytes]) -> Behaviour:
    async def behave(server: WireServer, reader: Reader, writer: Writer) -> None:
        while True:
            writer.write(answers[asked_for(await server.read(reader))])
            await writer.drain()

    return behave


def faults_of(outcome: SendOutcome) -> list[str]:
    """Why it could not be logged or stored."""
    match outcome:
        case Accepted(update=news):
            texts = [news.fax_id, news.error_type, news.message, news.to, news.job]
        case Refused(message=message, fields=fields):
            texts = [message, *fields]
        case RateLimited():
            texts = []
        case Unclear(reason=reason) | NotSent(reason=reason):
            texts = [reason]
    faults = [text for text in texts if len(text.encode()) > 4 * LONGEST or text.splitlines() not in ([], [text])]
    match outcome:
        case RateLimited(retry_after_s=float(wait_s)) | Unclear(retry_after_s=float(wait_s)) if not wait_s >= 0:
            faults.append(f"a wait of {wait_s} s")
    return faults


async def test_any_answer_to_a_post_is_an_outcome_and_nothing_is_raised_or_repeated() -> None:
    """What may have been acted upon is unclear, and what was refused took nothing."""
    async with serving(answering_by_name(EVERY_ODD_ANSWER)) as server, calling(server.url) as client:
        sends = (
            client.send(replace(FAX, labels=replace(LABELS, job=name).labels()), total_s=10)
            for name in EVERY_ODD_ANSWER
        )
        outcomes = dict(zip(EVERY_ODD_ANSWER, await asyncio.gather(*sends), strict=True))
    kinds: dict[str, type] = dict.fromkeys(UNUSABLE, Unclear) | dict.fromkeys(REFUSED, Refused)
    kinds |= dict.fromkeys(LIMITED, RateLimited)
    assert {name: type(outcome) for name, outcome in outcomes.items()} == kinds
    assert {name: faults for name, outcome in outcomes.items() if (faults := faults_of(outcome))} == {}
    assert sorted(map(asked_for, server.seen)) == sorted(EVERY_ODD_ANSWER)


@pytest.mark.parametrize("read", ["fax", "list"])
async def test_no_odd_answer_to_a_read_passes_for_news(read: str) -> None:
    async def asked(client: FaxClient, name: str) -> object:
        try:
            if read == "list":
                return await client.list_page(FaxQuery(to=name), 1, total_s=10)
            return await client.fax(name, total_s=10)
        except SinchError as error:
            return str(error)

    async with serving(answering_by_name(EVERY_ODD_ANSWER)) as server, calling(server.url) as client:
        answers = await asyncio.gather(*(asked(client, name) for name in EVERY_ODD_ANSWER))
    told = dict(zip(EVERY_ODD_ANSWER, answers, strict=True))
    readable = {name for name, answer in told.items() if not isinstance(answer, str)}
    assert readable == (READABLE_LISTS if read == "list" else set())
    assert max(len(answer) for answer in answers if isinstance(answer, str)) <= LONGEST


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(status=st.integers(200, 999), body=BODIES, retry_after=st.text(st.characters(codec="latin-1")))
async def test_any_status_with_any_body_and_header_is_an_outcome(status: int, body: bytes, retry_after: str) -> None:
    header = "".join(one for one in retry_after if one.isprintable())
    async with serving(answering(reply(status, body, Retry_After=header))) as server, calling(server.url) as client:
        assert faults_of(await client.send(FAX, total_s=5)) == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(status=st.integers(100, 999), body=BODIES, headers=st.dictionaries(st.text(), st.text(st.characters())))
def test_any_answer_is_read_or_is_an_error_of_ours(status: int, body: bytes, headers: dict[str, str]) -> None:
    """Below the wire, for more of them."""
    named = {name: value for name in ("retry-after", "date", "location") for value in headers.values()}
    answer = Answer(status=status, headers=named, body=body)
    error = error_of(answer, now_s=1_800_000_000.0)
    assert error is None or len(str(error)) <= LONGEST
    for read in (lambda: read_fax(body, status=status), lambda: read_page(body, FaxQuery(), 1)):
        with suppress(SinchError):
            read()
