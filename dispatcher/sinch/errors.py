"""Everything that can go wrong between us and the provider, told apart by what a caller may do next.

SinchError
├── NotSentError            the request surely did not arrive, or arrived without its body
│   └── UnreachableError    no connection: DNS, connect, TLS; the client has tried a few times
├── UnclearError            it may have arrived, and there is no usable answer: 408, 5xx
│   └── AnswerLostError     no answer at all: timeout, reset, garbage on the wire
├── RefusedError            the provider read the request and took nothing: other 4xx, redirects of a wrong address
│   └── NotFoundError       404
├── RateLimitedError        429
├── UnreadableError         2xx with a body that makes no sense
├── SaveError               what the provider sent could not be written to a file of ours
└── CallbackError           a callback to us that is not one of the provider's

No ``httpx`` exception leaves this package: ``pool.translated`` is the one place where they end.
"""


class SinchError(Exception):
    """The family. Its text is one plain sentence without secrets."""


class NotSentError(SinchError):
    """The request surely was not acted upon: no connection, no token, or stopped before its body began."""


class UnreachableError(NotSentError):
    """No connection could be made. Repeating is safe and was done a few times within the call's total time."""


class UnclearError(SinchError):
    """The request may have been acted upon. ``status`` is None when no answer came."""

    def __init__(self, reason: str, *, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after_s = retry_after_s


class AnswerLostError(UnclearError):
    """The request went out and no complete answer came back."""


class RefusedError(SinchError):
    """The provider took nothing. ``fields`` are the names in ``fieldViolations``; trust ``status``, not ``code``."""

    def __init__(self, *, status: int, code: str = "", message: str = "", fields: tuple[str, ...] = ()) -> None:
        super().__init__(f"refused with {status}: {message}" if message else f"refused with {status}")
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields


class NotFoundError(RefusedError):
    """404: there is no such fax, service, address or page; or the project id is wrong."""

    @property
    def told(self) -> bool:
        """Whether the API itself says so: its answers have a code or a message, those of gateways have none of it."""
        return bool(self.code or self.message)


class RateLimitedError(SinchError):
    """429. ``retry_after_s`` is None when the provider named no time, which is what it does today."""

    def __init__(self, retry_after_s: float | None = None) -> None:
        super().__init__("the provider's rate limit was reached")
        self.retry_after_s = retry_after_s


class UnreadableError(SinchError):
    """A 2xx answer that cannot be understood. For a send this means: it may have been accepted."""

    def __init__(self, reason: str, *, status: int = 200) -> None:
        super().__init__(reason)
        self.status = status


class SaveError(SinchError):
    """The content came, but the file for it cannot be written."""


class CallbackError(SinchError):
    """The body of a callback is not one of the provider's events. The text says what is wrong with it."""
