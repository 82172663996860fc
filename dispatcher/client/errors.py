"""Everything that can go wrong when the API is used. Each text is a sentence for people that says what to do.

ClientError
├── NotReachable     nothing answers at the address
├── NotOurApi        something answers, but it is not this API
├── BadInput         refused before anything was sent: a file that cannot be read
├── Unanswered       it is not known whether the request was carried out
├── TimedOut         a batch was not at rest in the time that was given
└── ApiError         the API answered with a problem document
    ├── AccessDenied     401, 403: API key missing or wrong
    ├── NotFound         404, 410: no such batch, job, document or hold
    ├── NotAllowed       409: not in this state, or an idempotency key used for two things
    ├── Invalid          400, 413, 415, 422: a field or line is wrong
    └── Unavailable      408, 429, 503: the API cannot take the request now, or it came too slowly
"""

from collections.abc import Mapping

from dispatcher.schema.responses import Batch, Fault, Problem


class ClientError(Exception):
    """Base of all errors of the client."""


class NotReachable(ClientError):
    """Nothing answers at the API's address, or the connection broke and a repeat did not help."""

    #: whether there was a connection, so that the request may have arrived
    connected: bool = False


class Unanswered(ClientError):
    """A request that lets something send again may have been carried out or not. It was not repeated.

    A repeat could undo what somebody else has stopped meanwhile. Look, and repeat it if it was not carried out.
    """


class NotOurApi(ClientError):
    """The answer has another form than this API gives."""


class BadInput(ClientError):
    """A file named by the caller cannot be read or written, or its kind is not known."""


class TimedOut(ClientError):
    """A batch was not at rest in the time that was given; ``batch`` is what it was last."""

    def __init__(self, batch: Batch) -> None:
        super().__init__(f"batch {batch.id} is still {batch.state}: it goes on, wait for it again")
        self.batch = batch


class ApiError(ClientError):
    """The API refused the request; ``problem`` is what it said, ``request_id`` names the request in its log."""

    request_id: str = ""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem_text(problem))
        self.problem = problem


class AccessDenied(ApiError):
    """The API key is missing or wrong."""


class NotFound(ApiError):
    """There is no such thing."""


class NotAllowed(ApiError):
    """The present state does not allow this, or the idempotency key was used for other content."""


class Invalid(ApiError):
    """A field or line of the request is wrong."""


class Unavailable(ApiError):
    """The API cannot take this request now, or the request came too slowly. A repeat may succeed."""

    #: when to try again, as the API said
    retry_after_s: float = 0.0


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: Invalid,
    401: AccessDenied,
    403: AccessDenied,
    404: NotFound,
    408: Unavailable,
    409: NotAllowed,
    410: NotFound,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: Unavailable,
    503: Unavailable,
}


def error_of(problem: Problem) -> ApiError:
    """The most specific error for a problem document."""
    return _BY_STATUS.get(problem.status, ApiError)(problem)


def problem_text(problem: Problem) -> str:
    """Return the problem in a sentence that names each field or line at fault once."""
    text = problem.detail or problem.title or f"the API answered with status {problem.status}"
    return "; ".join([text, *(line for fault in problem.errors if not _says(text, line := _line(fault)))])


def _line(fault: Fault) -> str:
    where = f"line {fault.line}" if fault.line is not None else fault.field
    return f"{where}: {fault.message}" if where else fault.message


def _says(text: str, line: str) -> bool:
    """Whether the text says it already, perhaps with a capital letter or a full stop."""
    return line.rstrip(".").casefold() in text.casefold()
