"""The kinds of problems: the closed set of what the field ``type`` of a problem document can be."""

from typing import NamedTuple

_PREFIX = "urn:bulkfax:problem:"


class ProblemType(NamedTuple):
    """A kind of problem. Its name never changes its meaning."""

    name: str
    status: int
    #: the kind of problem in a few words
    title: str
    #: what it means and what to do, for the reference of the API
    meaning: str

    @property
    def uri(self) -> str:
        """The value of ``type``."""
        return f"{_PREFIX}{self.name}"


#: by status; the first of each status stands for problems that have no kind of their own
_TYPES = (
    ProblemType(
        "bad-request",
        400,
        "Bad request",
        "It is no HTTP request that the API understands: no or several `Host` headers, a body that breaks off, very "
        "many tiny chunks, or a body with the header `Upgrade`.",
    ),
    ProblemType("unauthorized", 401, "API key missing or wrong", "Send `Authorization: Bearer KEY` with an API key."),
    ProblemType(
        "forbidden",
        403,
        "Refused",
        "No API keys are set and the request does not come from this machine, or a web page of another origin sent it.",
    ),
    ProblemType("forged", 403, "Invalid signature", "A signed URL that bulkfax did not make, or that has expired."),
    ProblemType("not-found", 404, "Not found", "Nothing has this id, or there is no such address."),
    ProblemType("method-not-allowed", 405, "Method not allowed", "The header `Allow` has the methods of this address."),
    ProblemType("too-slow", 408, "Too slow", "Headers or body arrived too slowly. The same request may be sent again."),
    ProblemType(
        "not-allowed", 409, "Not allowed in this state", "The command does not fit the state; `detail` says it."
    ),
    ProblemType(
        "document-warnings",
        409,
        "The documents have warnings",
        "`errors` names them. Look at the pages, then repeat with `allow_warnings`. Nothing was sent.",
    ),
    ProblemType(
        "suppressed", 409, "On the do-not-fax list", "Every number is on the do-not-fax list. Nothing was sent."
    ),
    ProblemType(
        "key-reused",
        409,
        "Idempotency key used for other content",
        "The idempotency key was used before with other content. Use a new one.",
    ),
    ProblemType(
        "repeat",
        409,
        "Sent a short while ago",
        "The same was sent to the same recipients by `batch`. `allow_repeat` sends it again. Nothing was started.",
    ),
    ProblemType(
        "too-many-drafts",
        409,
        "Too many open drafts",
        "As many drafts are open as the policy allows. Start or cancel some.",
    ),
    ProblemType(
        "unreadable-data",
        409,
        "Stored data cannot be read",
        "What is stored is damaged; `bulkfax doctor` says what to do. Nothing else is affected.",
    ),
    ProblemType("deleted", 410, "Deleted", "The batch was deleted. After four weeks the answer is `not-found`."),
    ProblemType("too-large", 413, "The body is too large", "The body is over the limit for this address."),
    ProblemType("address-too-long", 414, "The address is too long", "Address and headers have more than 64 kB."),
    ProblemType(
        "unsupported-content-type",
        415,
        "Unsupported type of body",
        "The body is of a type that this address does not take, or it is compressed.",
    ),
    ProblemType("no-such-part", 416, "No such part", "The document has none of the bytes that `Range` names."),
    ProblemType("invalid", 422, "Fields cannot be used", "`errors` names each field or parameter and what to do."),
    ProblemType(
        "unreadable", 422, "The body cannot be understood", "The body is no JSON, or no PDF that can be faxed."
    ),
    ProblemType(
        "unreadable-list",
        422,
        "The list cannot be read",
        "The list has no column of numbers, another encoding, or could be read in two ways. `errors` names the line.",
    ),
    ProblemType("headers-too-large", 431, "The headers are too large", "More than 64 kB, or more than 100 fields."),
    ProblemType("internal", 500, "Internal error", "The log of web has the details, with the `X-Request-Id`."),
    ProblemType(
        "wrong-credentials",
        502,
        "Wrong credentials for the provider",
        "The provider refuses the project, key or secret. Nothing was started.",
    ),
    ProblemType(
        "unavailable",
        503,
        "Not available",
        "No turn became free in time, there are too many connections, or the process stops. Repeat it after "
        "`Retry-After` seconds.",
    ),
    ProblemType(
        "store-unavailable",
        503,
        "The store cannot be used",
        "Redis is away, full or read-only. Repeat the request after `Retry-After` seconds.",
    ),
    ProblemType(
        "full",
        507,
        "No room left",
        "The documents have reached `BULKFAX_DOCUMENTS_MAX_BYTES`, or the folder for temporary files is full.",
    ),
)
PROBLEM_TYPES = {problem_type.name: problem_type for problem_type in _TYPES}
#: the types of problems that have no kind of their own, by status
_GENERAL = {problem_type.status: problem_type for problem_type in reversed(_TYPES)}


def general_type(status: int) -> ProblemType:
    """Return the type of a problem that is known by its status alone."""
    return _GENERAL.get(status, PROBLEM_TYPES["internal"])
