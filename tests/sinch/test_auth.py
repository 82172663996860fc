"""Authentication: reading tokens, renewing them, and handling a 401."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.outcome import Accepted, NotSent, Refused
from dispatcher.sinch.auth import Basic, OAuth, read_token, token_wait_s
from dispatcher.sinch.errors import NotSentError, RateLimitedError, RefusedError, UnclearError, UnreadableError
from dispatcher.sinch.pool import HttpPool
from dispatcher.sinch.responses import SinchResponse
from tests.sinch.wire_client import ACCEPTED, FAX, client_for
from tests.sinch.wire_server import (
    Behaviour,
    Reader,
    WireServer,
    Writer,
    closed_port,
    reply,
    respond_with,
    running_server,
)

CHANCE = st.floats(0, 1, exclude_max=True)
EXPIRED = 'Bearer error="invalid_token", error_description="Jwt expired at 2027-01-15T08:00:00Z"'


def token_bytes(text: str = "t1", expires_in: object = 3600) -> bytes:
    return reply(200, json.dumps({"access_token": text, "expires_in": expires_in}).encode())


class Clock:
    """A clock that tests move."""

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


def token_response(**fields: object) -> SinchResponse:
    return SinchResponse(status=200, body=json.dumps(fields).encode())


@given(st.integers(1, 100_000), CHANCE)
def test_a_token_is_renewed_60_to_300_s_early_but_not_in_the_first_half_of_its_life(life: int, chance: float) -> None:
    token = read_token(token_response(access_token="t", expires_in=life), requested_s=50.0, chance=chance)
    early = token.expires_s - token.renew_s
    assert token.expires_s == 50 + life
    assert early <= life / 2 + 1e-6
    assert 60 - 1e-6 <= early <= 300 or early == pytest.approx(life / 2)


def test_the_moment_of_renewal_is_drawn_by_chance() -> None:
    response = token_response(access_token="t", expires_in="3600")
    assert read_token(response, requested_s=0, chance=0.0).renew_s == 3540
    assert read_token(response, requested_s=0, chance=0.5).renew_s == 3420


def test_a_token_without_a_life_is_held_for_a_short_one() -> None:
    assert read_token(token_response(access_token="t"), requested_s=0, chance=0).expires_s == 300


@pytest.mark.parametrize("status", [400, 401, 403])
def test_bad_credentials_are_a_401_whatever_the_status_of_the_response(status: int) -> None:
    with pytest.raises(RefusedError) as raised:
        read_token(SinchResponse(status=status), requested_s=0, chance=0)
    assert raised.value.status == 401


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (SinchResponse(status=429), RateLimitedError),
        (SinchResponse(status=503), UnclearError),
        (SinchResponse(status=200, body=b"<html>"), UnreadableError),
        (SinchResponse(status=200, body=b"{}"), UnreadableError),
        (SinchResponse(status=200, body=b'{"access_token": "t\xc3\xa9"}'), UnreadableError),
        (SinchResponse(status=200, body=b'{"access_token": "two words"}'), UnreadableError),
    ],
)
def test_any_other_response_raises_its_error(response: SinchResponse, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_token(response, requested_s=0, chance=0)


@pytest.mark.parametrize(("failures", "longest"), [(1, 1.0), (2, 4.0), (3, 16.0), (4, 16.0)])
def test_waits_for_a_token_have_full_jitter(failures: int, longest: float) -> None:
    assert token_wait_s(failures, None, 0.0) == 0.0
    assert token_wait_s(failures, None, 0.5) == longest / 2


def test_a_named_time_is_waited_for_instead() -> None:
    assert token_wait_s(1, 7.0, 0.5) == 7.0


# -- keeping a token

anyio = pytest.mark.anyio


@anyio
async def test_many_callers_at_once_cause_one_token_request() -> None:
    async with running_server(respond_with(token_bytes())) as server, oauth(server.url, Clock()) as auth:
        headers = await asyncio.gather(*(auth.header() for _ in range(50)))
    assert set(headers) == {"Bearer t1"}
    (request,) = server.requests
    assert request.line == "POST /oauth2/token HTTP/1.1"
    assert request.headers["authorization"] == "Basic a2V5OnNlY3JldA=="
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.body == b"grant_type=client_credentials"


@anyio
async def test_no_caller_waits_for_an_early_renewal() -> None:
    clock = Clock()
    async with (
        running_server(respond_with(token_bytes("t1"), token_bytes("t2"))) as server,
        oauth(server.url, clock) as auth,
    ):
        assert await auth.header() == "Bearer t1"
        clock.now_s += 3545
        server.request_received.clear()
        assert await auth.header() == "Bearer t1"
        await server.request_received.wait()
        # the response is about to arrive, and only the next header shows it
        while await auth.header() == "Bearer t1":  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert await auth.header() == "Bearer t2"
    assert len(server.requests) == 2


@anyio
async def test_a_renewal_that_fails_leaves_the_old_token_in_use() -> None:
    clock = Clock()
    async with running_server(respond_with(token_bytes("t1"), reply(401))) as server, oauth(server.url, clock) as auth:
        assert await auth.header() == "Bearer t1"
        clock.now_s += 3545
        server.request_received.clear()
        await auth.header()
        await server.request_received.wait()
        assert await auth.header() == "Bearer t1"
        clock.now_s += 3600
        with pytest.raises(RefusedError):
            await auth.header()


@anyio
async def test_an_ended_token_is_not_used() -> None:
    clock = Clock()
    async with (
        running_server(respond_with(token_bytes("t1"), token_bytes("t2"))) as server,
        oauth(server.url, clock) as auth,
    ):
        assert await auth.header() == "Bearer t1"
        clock.now_s += 3600
        assert await auth.header() == "Bearer t2"


@anyio
async def test_a_token_is_dropped_only_while_it_is_the_one_that_failed() -> None:
    async with (
        running_server(respond_with(token_bytes("t1"), token_bytes("t2"), token_bytes("t3"))) as server,
        oauth(server.url, Clock()) as auth,
    ):
        assert await auth.header() == "Bearer t1"
        assert auth.handle_unauthorized("Bearer t1", EXPIRED)
        assert await auth.header() == "Bearer t2"
        assert auth.handle_unauthorized("Bearer t1", EXPIRED)
        assert await auth.header() == "Bearer t2"


@anyio
async def test_a_caller_who_gives_up_does_not_stop_the_renewal_of_the_others() -> None:
    async with running_server(respond_with(token_bytes())) as server, oauth(server.url, Clock()) as auth:
        first = asyncio.create_task(auth.header())
        second = asyncio.create_task(auth.header())
        await asyncio.sleep(0)
        first.cancel()
        assert await second == "Bearer t1"
    assert len(server.requests) == 1


@anyio
@pytest.mark.parametrize("failure", [reply(429), reply(429, Retry_After="0"), reply(500)])
async def test_a_failed_token_request_is_repeated(failure: bytes) -> None:
    async with (
        running_server(respond_with(failure, failure, failure, token_bytes())) as server,
        oauth(server.url, Clock()) as auth,
    ):
        assert await auth.header() == "Bearer t1"
    assert len(server.requests) == 4


@anyio
async def test_a_token_endpoint_that_keeps_failing_ends_in_not_sent() -> None:
    async with running_server(respond_with(reply(429))) as server, oauth(server.url, Clock()) as auth:
        with pytest.raises(NotSentError, match="no token"):
            await auth.header()
    assert len(server.requests) == 4


# -- requests to the API


def respond_to_tokens_and(*statuses: bytes, token: bytes = b"") -> Behaviour:
    """Respond to token requests with t1, t2, ... (or ``token``), and to other requests with ``statuses`` in order."""
    answers = list(statuses)
    tokens = 0

    async def behave(server: WireServer, reader: Reader, writer: Writer) -> None:
        nonlocal tokens
        while True:
            request = await server.read(reader)
            if "/oauth2/token" in request.line:
                tokens += 1
                writer.write(token or token_bytes(f"t{tokens}"))
            else:
                writer.write(answers.pop(0) if len(answers) > 1 else answers[0])

    return behave


def posts(server: WireServer) -> list[str]:
    return [request.headers["authorization"] for request in server.requests if "/faxes" in request.line]


@anyio
async def test_an_expired_token_is_renewed_and_the_send_is_repeated_once() -> None:
    answers = reply(401, WWW_Authenticate=EXPIRED), reply(200, ACCEPTED)
    async with (
        running_server(respond_to_tokens_and(*answers)) as server,
        oauth(server.url, Clock()) as auth,
        client_for(server.url, auth=auth) as client,
    ):
        assert isinstance(await client.send(FAX, total_s=5), Accepted)
    assert posts(server) == ["Bearer t1", "Bearer t2"]


@anyio
async def test_a_second_expired_answer_is_a_refusal() -> None:
    async with (
        running_server(respond_to_tokens_and(reply(401, WWW_Authenticate=EXPIRED))) as server,
        oauth(server.url, Clock()) as auth,
        client_for(server.url, auth=auth) as client,
    ):
        assert await client.send(FAX, total_s=5) == Refused(status=401)
    assert len(posts(server)) == 2


@anyio
async def test_any_other_401_is_a_refusal_and_the_next_call_brings_a_new_token() -> None:
    async with (
        running_server(respond_to_tokens_and(reply(401), reply(200, ACCEPTED))) as server,
        oauth(server.url, Clock()) as auth,
        client_for(server.url, auth=auth) as client,
    ):
        assert await client.send(FAX, total_s=5) == Refused(status=401)
        assert isinstance(await client.send(FAX, total_s=5), Accepted)
    assert posts(server) == ["Bearer t1", "Bearer t2"]


@anyio
async def test_with_basic_credentials_a_401_is_never_repeated() -> None:
    async with (
        running_server(respond_with(reply(401, WWW_Authenticate=EXPIRED))) as server,
        client_for(server.url, auth=Basic("key", "secret")) as client,
    ):
        assert await client.send(FAX, total_s=5) == Refused(status=401)
    assert len(server.requests) == 1


@anyio
async def test_a_send_without_a_token_is_not_sent() -> None:
    async with (
        running_server(respond_with(reply(200, ACCEPTED))) as server,
        oauth(f"http://127.0.0.1:{closed_port()}", Clock()) as auth,
        client_for(server.url, auth=auth) as client,
    ):
        assert isinstance(await client.send(FAX, total_s=5), NotSent)
    assert server.requests == []


@anyio
async def test_a_token_endpoint_that_never_answers_uses_up_the_total_time_as_not_sent() -> None:
    async def silent(server: WireServer, reader: Reader, writer: Writer) -> None:
        await asyncio.Event().wait()

    async with (
        running_server(silent) as server,
        oauth(server.url, Clock()) as auth,
        client_for(server.url, auth=auth) as client,
    ):
        assert isinstance(await client.send(FAX, total_s=0.3), NotSent)


@anyio
async def test_bad_credentials_at_the_token_endpoint_refuse_the_send() -> None:
    async with (
        running_server(respond_with(reply(401))) as server,
        oauth(server.url, Clock()) as auth,
        client_for(server.url, auth=auth) as client,
    ):
        outcome = await client.send(FAX, total_s=5)
    assert isinstance(outcome, Refused)
    assert outcome.status == 401
    assert "key id and secret" in outcome.message


@anyio
@pytest.mark.parametrize("status", [301, 302, 404, 405, 413, 415, 422, 500])
async def test_no_other_response_of_the_token_endpoint_is_an_outcome_of_the_fax(status: int) -> None:
    """For example, a 413 of the token endpoint does not mean that the document is too large."""
    async with (
        running_server(respond_to_tokens_and(reply(200, ACCEPTED), token=reply(status))) as server,
        oauth(server.url, Clock()) as auth,
        client_for(server.url, auth=auth) as client,
    ):
        assert isinstance(await client.send(FAX, total_s=1), NotSent)
    assert posts(server) == []
