"""The errors of the provider client, by what the caller may do next.

SinchError
├── NotSentError            the provider cannot have acted on the request
│   └── UnreachableError    no connection (DNS, TCP or TLS), after a few attempts
├── UnclearError            the provider may have acted on it; no usable response: 408, 5xx
│   └── ResponseLostError     no response at all: timeout, reset, invalid HTTP
├── RefusedError            the provider refused the request: other 4xx, redirects
│   └── NotFoundError       404
├── RateLimitedError        429
├── UnreadableError         2xx with an unreadable body
│   └── TooLargeError         it has too many bytes or values; smaller pages of a list may be readable
├── SaveError               the content could not be written to a file
└── CallbackError           the body of a callback is not an event of the provider

No ``httpx`` exception leaves this package: ``pool.translate_errors`` translates all of them.
"""


class SinchError(Exception):
    """Base class of the errors.

    The message is one sentence and contains no secrets.
    """


class NotSentError(SinchError):
    """The provider cannot have acted on the request: no connection, no token, or the body was not started."""


class UnreachableError(NotSentError):
    """No connection could be established, after a few attempts.

    Repeating the request is safe.
    """


class UnclearError(SinchError):
    """The provider may have acted on the request.

    ``status`` is None if there was no response.
    """

    def __init__(self, reason: str, *, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after_s = retry_after_s


class ResponseLostError(UnclearError):
    """The request was sent, but no complete response arrived."""


class RefusedError(SinchError):
    """The provider refused the request.

    ``status`` is the HTTP status; ``code`` in the body may differ from it. ``fields`` are the names in
    ``fieldViolations``.
    """

    def __init__(self, *, status: int, code: str = "", message: str = "", fields: tuple[str, ...] = ()) -> None:
        super().__init__(f"refused with {status}: {message}" if message else f"refused with {status}")
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields


class NotFoundError(RefusedError):
    """404: there is no such fax, service, address or cover page, or the project ID is wrong."""

    @property
    def sent_by_provider(self) -> bool:
        """Whether the response is from the API itself, not from a gateway: it has a code or a message."""
        return bool(self.code or self.message)


class RateLimitedError(SinchError):
    """429.

    ``retry_after_s`` is None if the provider named no time, which is usual.
    """

    def __init__(self, retry_after_s: float | None = None) -> None:
        super().__init__("the provider's rate limit was reached")
        self.retry_after_s = retry_after_s


class UnreadableError(SinchError):
    """A 2xx response cannot be read.

    If the request was a send, the fax may have been accepted.
    """

    def __init__(self, reason: str, *, status: int = 200) -> None:
        super().__init__(reason)
        self.status = status


class TooLargeError(UnreadableError):
    """A 2xx response has too many bytes or values. A list may be readable in smaller pages."""


class SaveError(SinchError):
    """The content arrived, but its file cannot be written."""


class CallbackError(SinchError):
    """The body of a callback is not an event of the provider.

    The message says what is wrong with it.
    """
