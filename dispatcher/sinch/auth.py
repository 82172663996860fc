"""Credentials: Basic, or OAuth2 client credentials with one token for the whole process.

Neither scheme sends a fax request itself: ``http.SinchHttp`` asks for the header, and tells of a 401.
"""

import asyncio
import base64
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from dispatcher.sinch.answers import Answer, error_of
from dispatcher.sinch.body import Body, BodyStream, Departure
from dispatcher.sinch.coerce import json_object, text, whole
from dispatcher.sinch.errors import (
    NotSentError,
    RateLimitedError,
    RefusedError,
    SinchError,
    UnclearError,
    UnreachableError,
    UnreadableError,
)
from dispatcher.sinch.pool import HttpPool, address

#: a token request, all its tries and waits included
TOKEN_TOTAL_S = 45.0
#: one try of it
TOKEN_TRY_S = 10.0
TOKEN_TRIES = 4

#: upper ends of the full-jitter waits after a token request that failed, one for each repetition
_WAITS_S = (1.0, 4.0, 16.0)

#: life of a token whose answer does not say; short, since an unused token costs nothing
_UNKNOWN_LIFE_S = 300

#: a background renewal that failed is not begun again before this time
_RENEW_AGAIN_S = 5.0

#: characters of a token, and what may be in one: it becomes a header
_LONGEST_TOKEN = 65_536
_TOKEN = re.compile(r"[!-~]+")

_FORM = Body((b"grant_type=client_credentials",), "application/x-www-form-urlencoded")


class Auth(Protocol):
    """What a request needs of a scheme."""

    async def header(self) -> str:
        """The value of ``Authorization``. Raises NotSentError, or RefusedError for bad credentials."""

    def rejected(self, header: str, challenge: str) -> bool:
        """A 401 came for ``header``, with this ``WWW-Authenticate``. True: ask for a header again and repeat once."""

    async def aclose(self) -> None:
        """Stop what runs in the background."""


class Basic:
    """Key id and secret on every request. The provider means it for trying out, with low limits."""

    def __init__(self, key_id: str, key_secret: str) -> None:
        self._header = _basic(key_id, key_secret)

    async def header(self) -> str:
        return self._header

    def rejected(self, header: str, challenge: str) -> bool:
        return False

    async def aclose(self) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token; times in seconds on the clock that was passed in."""

    text: str
    renew_at_s: float
    ends_at_s: float


class OAuth:
    """One token for all callers of this object, fetched by one request at a time.

    It is renewed in the background, early, at a moment drawn by chance so that many processes do not ask at once;
    a caller waits only when there is no token that still holds. ``chance`` gives numbers in [0, 1).
    """

    def __init__(
        self,
        pool: HttpPool,
        auth_url: str,
        key_id: str,
        key_secret: str,
        *,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._url = address(auth_url)
        self._basic = _basic(key_id, key_secret)
        self._chance = chance
        self._clock = clock
        self._token: Token | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._renew_not_before_s = 0.0

    async def header(self) -> str:
        now = self._clock()
        if self._token is None or now >= self._token.ends_at_s:
            # shielded: a caller who gives up does not take the renewal from the others
            await asyncio.shield(self._renew())
        elif now >= max(self._token.renew_at_s, self._renew_not_before_s):
            self._renew()
        if self._token is None:
            raise NotSentError("no token: it was rejected while it was fetched")
        return f"Bearer {self._token.text}"

    def rejected(self, header: str, challenge: str) -> bool:
        """Drop the token if it is still the one that failed. Only an expired one is worth a repetition."""
        if self._token is not None and header == f"Bearer {self._token.text}":
            self._token = None
        return "expired" in challenge.lower()

    async def aclose(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    def _renew(self) -> asyncio.Task[None]:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._fetch_within_total(), name="sinch-token")
            # whoever waits gets the error; with nobody waiting the old token serves until the next renewal
            self._renewal.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._renewal

    async def _fetch_within_total(self) -> None:
        self._renew_not_before_s = self._clock() + _RENEW_AGAIN_S
        try:
            async with asyncio.timeout(TOKEN_TOTAL_S):
                self._token = await self._fetch()
        except TimeoutError as exc:
            raise NotSentError("no token: the token endpoint took too long") from exc
        except SinchError as exc:
            if isinstance(exc, RefusedError) and exc.status == 401:
                raise
            # any other answer says nothing of the fax that the token was for
            raise NotSentError(f"no token: {exc}") from exc

    async def _fetch(self) -> Token:
        tries = AsyncRetrying(
            stop=stop_after_attempt(TOKEN_TRIES),
            wait=self._wait_s,
            retry=retry_if_exception_type((RateLimitedError, UnclearError, UnreachableError)),
            reraise=True,
        )
        return await tries(self._ask)

    def _wait_s(self, state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        named = failure.retry_after_s if isinstance(failure, RateLimitedError) else None
        return token_wait_s(state.attempt_number, named, self._chance())

    async def _ask(self) -> Token:
        asked_s = self._clock()
        departure = Departure()
        try:
            async with asyncio.timeout(TOKEN_TRY_S):
                answer = await self._pool.exchange(self._request(departure), departure)
        except TimeoutError as exc:
            raise UnclearError("the token endpoint did not answer") from exc
        return read_token(answer, asked_s=asked_s, chance=self._chance())

    def _request(self, departure: Departure) -> httpx.Request:
        headers = {
            "Host": self._url.netloc.decode("ascii"),
            "Accept": "application/json",
            "Authorization": self._basic,
            "Content-Type": _FORM.content_type,
            "Content-Length": str(_FORM.length),
        }
        return httpx.Request("POST", self._url, headers=headers, stream=BodyStream(_FORM, departure))


def token_wait_s(failures: int, retry_after_s: float | None, chance: float) -> float:
    """The wait after so many failures of the token endpoint: the time it named, else full jitter 0-1, 0-4, 0-16 s."""
    if retry_after_s is not None:
        return retry_after_s
    return chance * _WAITS_S[min(failures, len(_WAITS_S)) - 1]


def read_token(answer: Answer, *, asked_s: float, chance: float) -> Token:
    """The token in an answer to a request made at ``asked_s``. Raises what the answer stands for.

    It is renewed 60 to 300 s before its end, drawn by ``chance``, but never in the first half of its life.
    """
    error = error_of(answer)
    if isinstance(error, RefusedError) and answer.status in {400, 401, 403}:
        # 400 is how OAuth2 says invalid_client; one status for one cause
        raise RefusedError(status=401, message="the token endpoint refused the key id and secret")
    if error is not None:
        raise error
    told = json_object(answer.body) or {}
    if not _TOKEN.fullmatch(token := text(told.get("access_token"), _LONGEST_TOKEN)):
        raise UnreadableError("the token endpoint answered without a token that can be used")
    life_s = max(whole(told.get("expires_in")), 0) or _UNKNOWN_LIFE_S
    early_s = min(60 + 240 * chance, life_s / 2)
    return Token(text=token, renew_at_s=asked_s + life_s - early_s, ends_at_s=asked_s + life_s)


def _basic(key_id: str, key_secret: str) -> str:
    return "Basic " + base64.b64encode(f"{key_id}:{key_secret}".encode()).decode("ascii")
