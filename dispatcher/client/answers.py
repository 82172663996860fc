"""What the answers of the API mean: data, or one error. Nothing here waits, so both clients share it."""

import logging
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

import httpx
from dotenv import dotenv_values
from pydantic import ValidationError
from tenacity import RetryCallState, wait_exponential, wait_random

from dispatcher.client.errors import ClientError, NotOurApi, NotReachable, Unanswered, Unavailable, error_of
from dispatcher.schema.problem_types import PROBLEM_TYPES
from dispatcher.schema.requests import ListOptions
from dispatcher.schema.responses import Fault, Problem, Response

log = logging.getLogger("bulkfax.client")
log.addHandler(logging.NullHandler())

DEFAULT_URL = "http://127.0.0.1:8080"
#: how long connection errors and answers of 408, 429 and 503 are waited out by default
PATIENCE_S = 30.0
#: how long an address that never answered is tried
FIRST_CONTACT_S = 2.0
_WAIT = wait_exponential(multiplier=0.2, max=3.0) + wait_random(0.0, 0.2)
#: wait before a repeat when the API is away and names no time
_RETRY_AFTER_DEFAULT_S = 2.0
#: what is repeated, because a repeat is harmless and may succeed
REPEATED = (NotReachable, Unavailable)
#: the type of a problem that a request may meet after it was stored, when too few replicas have confirmed it
_MAY_BE_STORED = PROBLEM_TYPES["store-unavailable"].uri


class HasNext(Protocol):
    """A page: what stands in ``next`` gets the page after it."""

    @property
    def next(self) -> str | None: ...


Model = TypeVar("Model", bound=Response)
Page = TypeVar("Page", bound=HasNext)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether the API can work; ``reason`` says why not."""

    ready: bool
    reason: str = ""


def new_key() -> str:
    """Return a new idempotency key."""
    return uuid.uuid4().hex


def access_from_environment() -> tuple[str, str]:
    """Return address and key that BULKFAX_API_URL and BULKFAX_API_KEY name, in the environment or in ``.env``.

    Without an address it is the one on this machine, at BULKFAX_PORT.
    """
    settings = {**dotenv_values(".env"), **os.environ}
    return settings.get("BULKFAX_API_URL") or local_url(settings), settings.get("BULKFAX_API_KEY") or ""


def local_url(settings: Mapping[str, str | None]) -> str:
    """Return the address of the API of this machine, from the settings that say where it listens."""
    port = settings.get("BULKFAX_PORT") or ""
    return f"http://127.0.0.1:{port}" if port.isdecimal() else DEFAULT_URL


def endpoint_path(endpoint: str) -> str:
    """Return the path of a webhook endpoint."""
    return f"/v1/webhook-endpoints/{quote(endpoint, safe='')}"


def with_query(path: str, options: ListOptions | None) -> str:
    """Return an address with the options that were given."""
    query = urlencode(options.model_dump(mode="json", exclude_defaults=True)) if options else ""
    return f"{path}?{query}" if query else path


def model_of(model: type[Model], answer: Any, url: str) -> Model:
    """Return the model of an answer's JSON. Raises NotOurApi if it has another form."""
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        raise NotOurApi(
            f"{url} gave an answer that this client does not understand: do both have the same version?"
        ) from error


def http_options(url: str, api_key: str) -> dict[str, Any]:
    """Return the arguments of an HTTP client."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    return {"base_url": url, "headers": headers, "timeout": httpx.Timeout(60.0, connect=5.0)}


def no_address(url: str) -> NotReachable:
    """Return the error for a text that is no address."""
    return NotReachable(f"{url} is not an address: set BULKFAX_API_URL, as in http://127.0.0.1:8080")


def pause(state: RetryCallState) -> float:
    """Return the seconds before a repeat: those that the API named, or some more each time."""
    assert state.outcome is not None
    error = state.outcome.exception()
    return error.retry_after_s if isinstance(error, Unavailable) else _WAIT(state)


def is_out_of_patience(state: RetryCallState, patience_s: float, *, answered: bool) -> bool:
    """Return whether the next repeat comes too late. An address that never answered is given up sooner."""
    assert state.outcome is not None
    known = answered or isinstance(state.outcome.exception(), Unavailable)
    limit_s = patience_s if known else min(patience_s, FIRST_CONTACT_S)
    return (state.seconds_since_start or 0.0) + state.upcoming_sleep > limit_s


def is_repeated(error: BaseException, *, once: bool) -> bool:
    """Return whether a request is sent again after an error. With ``once`` only if it was surely not carried out."""
    return isinstance(error, REPEATED) and not (once and _may_be_done(error))


def unanswered(error: Exception) -> Exception:
    """Return the error for a request that is sent once only: ``error``, unless it may have been carried out."""
    if not _may_be_done(error):
        return error
    reason = str(error).rstrip(".")
    return Unanswered(f"{reason}. The command may have been carried out: look, and repeat it if it was not")


def _may_be_done(error: BaseException) -> bool:
    match error:
        case NotReachable():
            return error.connected
        case Unavailable():
            return error.problem.type == _MAY_BE_STORED
    return False


def say_that_it_waits(state: RetryCallState, patience_s: float, *, answered: bool) -> None:
    """Warn once when an API that has answered before does not, and is asked again for some time."""
    assert state.outcome is not None
    error = state.outcome.exception()
    if state.attempt_number == 1 and (answered or isinstance(error, Unavailable)):
        log.warning("%s; it is asked again for %g s", str(error).rstrip("."), patience_s)


def json_of(response: httpx.Response) -> Any:
    """Return the JSON of a read answer, or None when it has no content."""
    if response.status_code == httpx.codes.NO_CONTENT or not response.content:
        return None
    try:
        return response.json()
    except ValueError as error:
        raise NotOurApi(
            f"{response.request.url} did not answer with JSON: does BULKFAX_API_URL point at bulkfax?"
        ) from error


def error_of_answer(response: httpx.Response) -> ClientError:
    """Return the error that a read answer stands for."""
    problem = _problem(response)
    if problem is None:
        return NotOurApi(
            f"{response.request.url} answered {response.status_code} in a form that this API does not use: "
            f"does BULKFAX_API_URL point at bulkfax?"
        )
    error = error_of(problem)
    error.request_id = response.headers.get("X-Request-Id", "")
    if isinstance(error, Unavailable):
        error.retry_after_s = _seconds(response.headers.get("Retry-After"))
    return error


def error_of_transport(error: httpx.TransportError | httpx.InvalidURL, url: str) -> ClientError:
    """Return the error for a request that got no answer."""
    match error:
        case httpx.UnsupportedProtocol():
            return NotOurApi(f"{url} is not a web address: set BULKFAX_API_URL, as in http://127.0.0.1:8080")
        case httpx.InvalidURL():
            return ClientError("an id has characters that no id of this API has: copy it from a list")
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return NotReachable(
                f"nothing answers at {url}: start the API with `bulkfax up`, or set BULKFAX_API_URL to where it runs"
            )
    broken = NotReachable(f"the connection to {url} broke ({type(error).__name__}): is the API still running?")
    broken.connected = True
    return broken


def _problem(response: httpx.Response) -> Problem | None:
    """Return the problem document of an answer, or None when it holds none."""
    try:
        body = response.json()
    except ValueError:
        return None
    if not isinstance(body, Mapping) or not ({"title", "detail"} & body.keys()):
        return None
    errors = body.get("errors")
    return Problem(
        status=response.status_code,
        title=str(body.get("title", "")),
        detail=str(body.get("detail", "")),
        type=str(body.get("type", "")),
        errors=tuple(map(_fault, errors)) if isinstance(errors, list) else (),
        batch=_text(body.get("batch")),
        upload=_text(body.get("upload")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _fault(item: object) -> Fault:
    """Read one error of a problem document; an odd one counts as a fault without a text."""
    try:
        return Fault.model_validate(item)
    except ValidationError:
        return Fault(message="")


def _seconds(text: str | None) -> float:
    """Return the seconds of a Retry-After header; dates, which this API never sends, count as none."""
    return float(text) if text and text.isascii() and text.isdigit() else _RETRY_AFTER_DEFAULT_S
