"""Tokens: how they are read, when they are renewed, and what a 401 does to them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.outcome import Accepted, NotSent, Refused
from dispatcher.sinch.answers import Answer
from dispatcher.sinch.auth import Basic, OAuth, read_token, token_wait_s
from dispatcher.sinch.errors import NotSentError, RateLimitedError, RefusedError, UnclearError, UnreadableError
from dispatcher.sinch.pool import HttpPool
from tests.sinch.faxes import ACCEPTED, FAX, calling
from tests.sinch.wire_server import (
    Behaviour,
    Reader,
    WireServer,
    Writer,
    answering,
    closed_port,
    reply,
    serving,
)

CHANCE = st.floats(0, 1, exclude_max=True)
EXPIRED = 'Bearer error="invalid_token", error_description="Jwt expired at 2027-01-15T08:00:00Z"'


def token_answer(text: str = "t1", expires_in: object = 3600) -> bytes:
    return reply(200, json.dumps({"access_token": text, "expires_in": expires_in}).encode())


class Clock:
    """A clock that moves when told."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@asynccontextmanager
async def oauth(url: str, clock: Callable[[], float], chance: float = 0.0) -> AsyncIterator[OAuth]:
    pool = HttpPool(8)
    auth = OAuth(pool, f"{url}/oauth2/token", "key", "secret", chance=lambda: chance, clock=clock)
    try:
        yield auth
    finally:
        await auth.aclose()
        await pool.aclose()


# -- reading a token


def told(**fields: object) -> Answer:
    return Answer(status=200, body=json.dumps(fields).encode())


@given(st.integers(1, 100_000), CHANCE)
def test_a_token_is_renewed_60_to_300_s_early_but_not_in_the_first_half_of_its_life(life: int, chance: float) -> None:
    token = read_token(told(access_token="t", expires_in=life), asked_s=50.0, chance=chance)
    early = token.ends_at_s - token.renew_at_s
    assert token.ends_at_s == 50 + life
    assert early <= life / 2 + 1e-6
    assert 60 - 1e-6 <= early <= 300 or early == pytest.approx(life / 2)


def test_the_moment_of_renewal_is_drawn_by_chance() -> None:
    read = told(access_token="t", expires_in="3600")
    assert read_token(read, asked_s=0, chance=0.0).renew_at_s == 3540
    assert read_token(read, asked_s=0, chance=0.5).renew_at_s == 3420


def test_a_token_without_a_life_is_held_for_a_short_one() -> None:
    assert read_token(told(access_token="t"), asked_s=0, chance=0).ends_at_s == 300


@pytest.mark.parametrize("status", [400, 401, 403])
def test_bad_credentials_are_one_refusal_whatever_status_says_so(status: int) -> None:
    with pytest.raises(RefusedError) as refused:
        read_token(Answer(status=status), asked_s=0, chance=0)
    assert refused.value.status == 401


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=429), RateLimitedError),
        (Answer(status=503), UnclearError),
        (Answer(status=200, body=b"<html>"), UnreadableError),
        (Answer(status=200, body=b"{}"), UnreadableError),
        (Answer(status=200, body=b'{"access_token": "t\xc3\xa9"}'), UnreadableError),
        (Answer(status=200, body=b'{"access_token": "two words"}'), UnreadableError),
    ],
)
def test_any_other_answer_is_what_it_stands_for(answer: Answer, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_token(answer, asked_s=0, chance=0)


@pytest.mark.parametrize(("failures", "longest"), [(1, 1.0), (2, 4.0), (3, 16.0), (4, 16.0)])
def test_waits_for_a_token_have_full_jitter(failures: int, longest: float) -> None:
    assert token_wait_s(failures, None, 0.0) == 0.0
    assert token_wait_s(failures, None, 0.5) == longest / 2


def test_a_named_time_is_waited_for_instead() -> None:
    assert token_wait_s(1, 7.0, 0.5) == 7.0


# -- keeping it

anyio = pytest.mark.anyio


@anyio
async def test_many_callers_at_once_cause_one_token_request() -> None:
    async with serving(answering(token_answer())) as server, oauth(server.url, Clock()) as auth:
        headers = await asyncio.gather(*(auth.header() for _ in range(50)))
    assert set(headers) == {"Bearer t1"}
    (seen,) = server.seen
    assert seen.line == "POST /oauth2/token HTTP/1.1"
    assert seen.headers["authorization"] == "Basic a2V5OnNlY3JldA=="
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert seen.body == b"grant_type=client_credentials"


@anyio
async def test_an_early_renewal_keeps_nobody_waiting() -> None:
    clock = Clock()
    async with serving(answering(token_answer("t1"), token_answer("t2"))) as server, oauth(server.url, clock) as auth:
        assert await auth.header() == "Bearer t1"
        clock.now_s += 3545
        server.arrived.clear()
        assert await auth.header() == "Bearer t1"
        await server.arrived.wait()
        # the answer is on its way, and nothing but the next header tells of it
        while await auth.header() == "Bearer t1":  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert await auth.header() == "Bearer t2"
    assert len(server.seen) == 2


@anyio
async def test_a_renewal_that_fails_leaves_the_old_token_in_use() -> None:
    clock = Clock()
    async with serving(answering(token_answer("t1"), reply(401))) as server, oauth(server.url, clock) as auth:
        assert await auth.header() == "Bearer t1"
        clock.now_s += 3545
        server.arrived.clear()
        await auth.header()
        await server.arrived.wait()
        assert await auth.header() == "Bearer t1"
        clock.now_s += 3600
        with pytest.raises(RefusedError):
            await auth.header()


@anyio
async def test_an_ended_token_is_not_used() -> None:
    clock = Clock()
    async with serving(answering(token_answer("t1"), token_answer("t2"))) as server, oauth(server.url, clock) as auth:
        assert await auth.header() == "Bearer t1"
        clock.now_s += 3600
        assert await auth.header() == "Bearer t2"


@anyio
async def test_a_token_is_dropped_only_while_it_is_the_one_that_failed() -> None:
    async with (
        serving(answering(token_answer("t1"), token_answer("t2"), token_answer("t3"))) as server,
        oauth(server.url, Clock()) as auth,
    ):
        assert await auth.header() == "Bearer t1"
        assert auth.rejected("Bearer t1", EXPIRED)
        assert await auth.header() == "Bearer t2"
        assert auth.rejected("Bearer t1", EXPIRED)
        assert await auth.header() == "Bearer t2"


@anyio
async def test_a_caller_who_gives_up_does_not_stop_the_renewal_of_the_others() -> None:
    async with serving(answering(token_answer())) as server, oauth(server.url, Clock()) as auth:
        first = asyncio.create_task(auth.header())
        second = asyncio.create_task(auth.header())
        await asyncio.sleep(0)
        first.cancel()
        assert await second == "Bearer t1"
    assert len(server.seen) == 1


@anyio
@pytest.mark.parametrize("failure", [reply(429), reply(429, Retry_After="0"), reply(500)])
async def test_a_token_endpoint_in_trouble_is_asked_again(failure: bytes) -> None:
    async with (
        serving(answering(failure, failure, failure, token_answer())) as server,
        oauth(server.url, Clock()) as auth,
    ):
        assert await auth.header() == "Bearer t1"
    assert len(server.seen) == 4


@anyio
async def test_a_token_endpoint_that_stays_in_trouble_ends_in_not_sent() -> None:
    async with serving(answering(reply(429))) as server, oauth(server.url, Clock()) as auth:
        with pytest.raises(NotSentError, match="no token"):
            await auth.header()
    assert len(server.seen) == 4


# -- at the API


def guarded(*statuses: bytes, token: bytes = b"") -> Behaviour:
    """A server that hands out tokens t1, t2, ... (or ``token``) and gives ``statuses`` in turn to other requests."""
    answers = list(statuses)
    tokens = 0

    async def behave(server: WireServer, reader: Reader, writer: Writer) -> None:
        nonlocal tokens
        while True:
            seen = await server.read(reader)
            if "/oauth2/token" in seen.line:
                tokens += 1
                writer.write(token or token_answer(f"t{tokens}"))
            else:
                writer.write(answers.pop(0) if len(answers) > 1 else answers[0])

    return behave


def posts(server: WireServer) -> list[str]:
    return [seen.headers["authorization"] for seen in server.seen if "/faxes" in seen.line]


@anyio
async def test_an_expired_token_is_renewed_and_the_send_made_once_more() -> None:
    answers = reply(401, WWW_Authenticate=EXPIRED), reply(200, ACCEPTED)
    async with (
        serving(guarded(*answers)) as server,
        oauth(server.url, Clock()) as auth,
        calling(server.url, auth=auth) as client,
    ):
        assert isinstance(await client.send(FAX, total_s=5), Accepted)
    assert posts(server) == ["Bearer t1", "Bearer t2"]


@anyio
async def test_a_second_expired_answer_is_a_refusal() -> None:
    async with (
        serving(guarded(reply(401, WWW_Authenticate=EXPIRED))) as server,
        oauth(server.url, Clock()) as auth,
        calling(server.url, auth=auth) as client,
    ):
        assert await client.send(FAX, total_s=5) == Refused(status=401)
    assert len(posts(server)) == 2


@anyio
async def test_any_other_401_is_a_refusal_and_the_next_call_brings_a_new_token() -> None:
    async with (
        serving(guarded(reply(401), reply(200, ACCEPTED))) as server,
        oauth(server.url, Clock()) as auth,
        calling(server.url, auth=auth) as client,
    ):
        assert await client.send(FAX, total_s=5) == Refused(status=401)
        assert isinstance(await client.send(FAX, total_s=5), Accepted)
    assert posts(server) == ["Bearer t1", "Bearer t2"]


@anyio
async def test_with_basic_credentials_a_401_is_never_repeated() -> None:
    async with (
        serving(answering(reply(401, WWW_Authenticate=EXPIRED))) as server,
        calling(server.url, auth=Basic("key", "secret")) as client,
    ):
        assert await client.send(FAX, total_s=5) == Refused(status=401)
    assert len(server.seen) == 1


@anyio
async def test_a_send_without_a_token_is_not_sent() -> None:
    async with (
        serving(answering(reply(200, ACCEPTED))) as server,
        oauth(f"http://127.0.0.1:{closed_port()}", Clock()) as auth,
        calling(server.url, auth=auth) as client,
    ):
        assert isinstance(await client.send(FAX, total_s=5), NotSent)
    assert server.seen == []


@anyio
async def test_a_token_endpoint_that_never_answers_uses_up_the_total_time_as_not_sent() -> None:
    async def silent(server: WireServer, reader: Reader, writer: Writer) -> None:
        await asyncio.Event().wait()

    async with (
        serving(silent) as server,
        oauth(server.url, Clock()) as auth,
        calling(server.url, auth=auth) as client,
    ):
        assert isinstance(await client.send(FAX, total_s=0.3), NotSent)


@anyio
async def test_bad_credentials_at_the_token_endpoint_refuse_the_send() -> None:
    async with (
        serving(answering(reply(401))) as server,
        oauth(server.url, Clock()) as auth,
        calling(server.url, auth=auth) as client,
    ):
        outcome = await client.send(FAX, total_s=5)
    assert isinstance(outcome, Refused)
    assert outcome.status == 401
    assert "key id and secret" in outcome.message


@anyio
@pytest.mark.parametrize("status", [301, 302, 404, 405, 413, 415, 422, 500])
async def test_no_other_answer_of_the_token_endpoint_speaks_of_the_fax(status: int) -> None:
    """A 413 there does not make the document too large."""
    async with (
        serving(guarded(reply(200, ACCEPTED), token=reply(status))) as server,
        oauth(server.url, Clock()) as auth,
        calling(server.url, auth=auth) as client,
    ):
        assert isinstance(await client.send(FAX, total_s=1), NotSent)
    assert posts(server) == []
