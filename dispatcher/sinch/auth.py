"""Authentication: Basic, or OAuth2 client credentials with one access token per process.

``http.SinchHttp`` gets the ``Authorization`` header of each request here and reports a 401.
"""

import asyncio
import base64
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from dispatcher.sinch.body import Body, BodyStream, SendGuard
from dispatcher.sinch.coerce import integer, json_object
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
from dispatcher.sinch.redaction import remember
from dispatcher.sinch.responses import SinchResponse, error_from_response

#: maximum duration of a token request, with all its attempts and the waits between them
TOKEN_TOTAL_S = 45.0
#: maximum duration of one attempt
TOKEN_ATTEMPT_S = 10.0
TOKEN_ATTEMPTS = 4

#: maximum waits, with full jitter, before the second, third and fourth attempt
_MAX_WAITS_S = (1.0, 4.0, 16.0)

#: longer lifetimes are not believed (seconds)
_MAX_LIFETIME_S = 7 * 24 * 3600
#: assumed lifetime of a token if the response does not say; short, because an unneeded renewal costs nothing
_DEFAULT_LIFETIME_S = 300

#: minimum time between two background renewals
_RENEWAL_INTERVAL_S = 5.0

#: maximum wait that the token endpoint can ask for: nothing is sent meanwhile
_MAX_NAMED_WAIT_S = 10.0

#: maximum bytes of the answer to a token request
MAX_TOKEN_BYTES = 256 * 1024
#: maximum length and allowed characters of a token: it is sent in a header
_MAX_TOKEN_CHARS = 65_536
_TOKEN = re.compile(r"[!-~]+")

_FORM = Body((b"grant_type=client_credentials",), "application/x-www-form-urlencoded")


class TokenResult(StrEnum):
    """What became of a request for a token."""

    FETCHED = "fetched"
    #: the key id or the secret is wrong
    REFUSED = "refused"
    FAILED = "failed"


class Auth(Protocol):
    """An authentication scheme."""

    #: number of requests for a token, by result
    token_requests: Counter[TokenResult]

    async def header(self) -> str:
        """Return the value of the ``Authorization`` header.

        Raises:
            NotSentError: no token could be fetched.
            RefusedError: the credentials are invalid.
        """

    def handle_unauthorized(self, header: str, challenge: str) -> bool:
        """Handle a 401 response.

        Args:
            header: The ``Authorization`` header of the request.
            challenge: The ``WWW-Authenticate`` header of the response.

        Returns:
            Whether to repeat the request once with a new header.
        """

    async def aclose(self) -> None:
        """Cancel a renewal that runs in the background."""


class Basic:
    """Basic credentials on every request.

    The provider intends them for tests and limits them to a low rate.
    """

    def __init__(self, key_id: str, key_secret: str) -> None:
        self._header = _basic(key_id, key_secret)
        self.token_requests: Counter[TokenResult] = Counter()

    async def header(self) -> str:
        """See ``Auth.header``."""
        return self._header

    def handle_unauthorized(self, header: str, challenge: str) -> bool:
        """See ``Auth.handle_unauthorized``."""
        return False

    async def aclose(self) -> None:
        """See ``Auth.aclose``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token.

    Times are in seconds on the clock of ``OAuth``.
    """

    text: str
    renew_s: float
    expires_s: float


class OAuth:
    """OAuth2 with one token for all callers of this object, fetched by one request at a time.

    The token is renewed in the background before it expires, at a random time, so that processes do not renew their
    tokens all at once. A caller waits only if there is no valid token. ``chance`` returns random numbers in [0, 1).
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
        self._key = key_id, key_secret
        self._chance = chance
        self._clock = clock
        self._token: Token | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._renew_not_before_s = 0.0
        self.token_requests: Counter[TokenResult] = Counter()

    async def header(self) -> str:
        """See ``Auth.header``."""
        now_s = self._clock()
        if self._token is None or now_s >= self._token.expires_s:
            # shielded: the cancellation of one caller must not cancel the renewal for the others
            await asyncio.shield(self._renew())
        elif now_s >= max(self._token.renew_s, self._renew_not_before_s):
            self._renew()
        if self._token is None:
            raise NotSentError("no token: it was rejected while it was fetched")
        return f"Bearer {self._token.text}"

    def handle_unauthorized(self, header: str, challenge: str) -> bool:
        """Drop the token if it is still the rejected one.

        Only an expired token is worth a repetition.
        """
        if self._token is not None and header == f"Bearer {self._token.text}":
            self._token = None
        return "expired" in challenge.lower()

    async def aclose(self) -> None:
        """See ``Auth.aclose``."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    def _renew(self) -> asyncio.Task[None]:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._fetch_within_total(), name="sinch-token")
            # retrieve the error even if nobody waits: the old token is used until the next renewal
            self._renewal.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._renewal

    async def _fetch_within_total(self) -> None:
        self._renew_not_before_s = self._clock() + _RENEWAL_INTERVAL_S
        try:
            async with asyncio.timeout(TOKEN_TOTAL_S):
                self._token = await self._fetch()
        except TimeoutError as error:
            raise NotSentError("no token: the token endpoint took too long") from error
        except SinchError as error:
            if isinstance(error, RefusedError) and error.status == 401:
                raise
            # any other response says nothing about the fax that the token was needed for
            raise NotSentError(f"no token: {error}") from error

    async def _fetch(self) -> Token:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(TOKEN_ATTEMPTS),
            wait=self._wait_s,
            retry=retry_if_exception_type((RateLimitedError, UnclearError, UnreachableError)),
            reraise=True,
        )
        return await retrying(self._request_token)

    def _wait_s(self, state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        retry_after_s = failure.retry_after_s if isinstance(failure, RateLimitedError) else None
        return token_wait_s(state.attempt_number, retry_after_s, self._chance())

    async def _request_token(self) -> Token:
        result = TokenResult.FAILED
        try:
            token = await self._exchange_token()
            result = TokenResult.FETCHED
        except RefusedError:
            result = TokenResult.REFUSED
            raise
        finally:
            self.token_requests[result] += 1
        return token

    async def _exchange_token(self) -> Token:
        requested_s = self._clock()
        guard = SendGuard()
        try:
            async with asyncio.timeout(TOKEN_ATTEMPT_S):
                response = await self._pool.exchange(self._request(guard), guard, max_bytes=MAX_TOKEN_BYTES)
        except TimeoutError as error:
            raise UnclearError("the token endpoint did not answer") from error
        return read_token(response, requested_s=requested_s, chance=self._chance())

    def _request(self, guard: SendGuard) -> httpx.Request:
        headers = {
            "Host": self._url.netloc.decode("ascii"),
            "Accept": "application/json",
            # made anew each time: the secret must be remembered longer than the tokens of the last days
            "Authorization": _basic(*self._key),
            "Content-Type": _FORM.content_type,
            "Content-Length": str(_FORM.length),
        }
        return httpx.Request("POST", self._url, headers=headers, stream=BodyStream(_FORM, guard))


def token_wait_s(failures: int, retry_after_s: float | None, chance: float) -> float:
    """Return the wait after a failed token request.

    Args:
        failures: How many attempts have failed so far, at least 1.
        retry_after_s: The wait that the token endpoint asked for; only 10 s of it count. None: full jitter of up to
            1, 4 or 16 s.
        chance: A random number in [0, 1).
    """
    if retry_after_s is not None:
        return min(retry_after_s, _MAX_NAMED_WAIT_S)
    return chance * _MAX_WAITS_S[min(failures, len(_MAX_WAITS_S)) - 1]


def read_token(response: SinchResponse, *, requested_s: float, chance: float) -> Token:
    """Read the token from the response to a request that was made at ``requested_s``.

    The token is renewed 60 to 300 s before it expires, depending on the random number ``chance`` in [0, 1), but not in
    the first half of its lifetime.

    Raises:
        SinchError: the response is an error or contains no usable token.
    """
    error = error_from_response(response)
    if isinstance(error, RefusedError) and response.status in {400, 401, 403}:
        # OAuth2 servers may also answer invalid_client with a 400; callers get the same status for the same cause
        raise RefusedError(status=401, message="the token endpoint refused the key id and secret")
    if error is not None:
        raise error
    fields = json_object(response.body) or {}
    token = fields.get("access_token")
    if not isinstance(token, str) or len(token) > _MAX_TOKEN_CHARS or not _TOKEN.fullmatch(token):
        raise UnreadableError("the token endpoint answered without a token that can be used")
    remember(token)
    lifetime_s = min(max(integer(fields.get("expires_in")), 0), _MAX_LIFETIME_S) or _DEFAULT_LIFETIME_S
    early_s = min(60 + 240 * chance, lifetime_s / 2)
    return Token(text=token, renew_s=requested_s + lifetime_s - early_s, expires_s=requested_s + lifetime_s)


def _basic(key_id: str, key_secret: str) -> str:
    """Return the header, and keep it and the secret out of all texts of the provider."""
    encoded = base64.b64encode(f"{key_id}:{key_secret}".encode()).decode("ascii")
    remember(encoded, key_secret)
    return f"Basic {encoded}"
