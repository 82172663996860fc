"""The client of the Sinch Fax API v3.

The methods of ``FaxClient`` are those that the dispatcher needs; its properties offer the whole API.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from dispatcher.core.failpoints import FailpointHook, no_failpoint
from dispatcher.core.outcome import (
    Accepted,
    FaxUpdate,
    NotSent,
    RateLimited,
    Refused,
    SendOutcome,
    Unclear,
)
from dispatcher.sinch.auth import Auth, Basic, OAuth, TokenResult
from dispatcher.sinch.errors import (
    NotFoundError,
    NotSentError,
    RateLimitedError,
    RefusedError,
    SinchError,
    UnclearError,
    UnreadableError,
)
from dispatcher.sinch.http import Call, SinchHttp, get_call, path_segment
from dispatcher.sinch.order import FaxOrder, json_body
from dispatcher.sinch.pool import HttpPool
from dispatcher.sinch.wire import AttemptLabels, FaxQuery, ListPage, read_fax, read_page

if TYPE_CHECKING:
    from dispatcher.sinch.cover_pages import CoverPages
    from dispatcher.sinch.emails import Emails
    from dispatcher.sinch.faxes import Faxes
    from dispatcher.sinch.services import Services

#: maximum number of concurrent reads per process; they use connections of their own
READ_CONNECTIONS = 8
#: maximum duration of ``FaxClient.check``
CHECK_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SinchAccount:
    """Addresses and credentials of an account."""

    project_id: str
    key_id: str
    key_secret: str
    base_url: str = "https://fax.api.sinch.com"
    auth_url: str = "https://auth.sinch.com/oauth2/token"
    auth: Literal["oauth", "basic"] = "oauth"
    #: maximum number of concurrent sends in this process
    connections: int = 64

    def __repr__(self) -> str:
        """Leave out the secret, for logs."""
        return f"SinchAccount(project_id={self.project_id!r}, base_url={self.base_url!r}, auth={self.auth!r})"


def make_client(account: SinchAccount) -> "FaxClient":
    """Create a client for the running event loop; call ``aclose`` at the end.

    Raises:
        ValueError: an address is not a URL.
    """
    pool = HttpPool(account.connections)
    auth: Auth
    if account.auth == "basic":
        auth = Basic(account.key_id, account.key_secret)
    else:
        auth = OAuth(pool, account.auth_url, account.key_id, account.key_secret)
    return FaxClient(pool, auth, account.base_url, account.project_id, reads=pool.separate_pool(READ_CONNECTIONS))


class FaxClient:
    """The operations of one project.

    The argument ``total_s`` of a method limits its total duration, with the token, connecting and repetitions.

    Args:
        pool: The connections.
        auth: The authentication scheme.
        base_url: The URL of the API.
        project_id: The project.
        reads: Separate connections for ``fax`` and ``list_page``, so that slow reads do not delay sends.
    """

    def __init__(
        self, pool: HttpPool, auth: Auth, base_url: str, project_id: str, *, reads: HttpPool | None = None
    ) -> None:
        self._http = SinchHttp(pool, auth, base_url, project_id)
        self._reads = SinchHttp(reads, auth, base_url, project_id) if reads else self._http
        self._pools = {"sends": pool, "reads": reads or pool}
        self._auth = auth

    def pools(self) -> Mapping[str, HttpPool]:
        """Return the connections by what they are for, for metrics."""
        return self._pools

    def token_requests(self) -> Counter[TokenResult]:
        """Return the number of requests for a token by result, for metrics."""
        return self._auth.token_requests

    # imported late: workers do not need them and must start quickly

    @cached_property
    def faxes(self) -> "Faxes":
        """Operations on faxes."""
        from dispatcher.sinch.faxes import Faxes

        return Faxes(self._http)

    @cached_property
    def services(self) -> "Services":
        """Operations on services and their numbers."""
        from dispatcher.sinch.services import Services

        return Services(self._http)

    @cached_property
    def emails(self) -> "Emails":
        """Operations on the email addresses of services."""
        from dispatcher.sinch.emails import Emails

        return Emails(self._http)

    @cached_property
    def cover_pages(self) -> "CoverPages":
        """Operations on cover pages."""
        from dispatcher.sinch.cover_pages import CoverPages

        return CoverPages(self._http)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()
        if self._reads is not self._http:
            await self._reads.aclose()

    async def prepare(self) -> None:
        """Fetch a token in advance.

        Errors are ignored; the first call reports them.
        """
        with suppress(SinchError):
            await self._http.prepare()

    async def send(
        self,
        order: FaxOrder,
        *,
        total_s: float,
        may_send: Callable[[], bool] | None = None,
        failpoint: FailpointHook = no_failpoint,
    ) -> SendOutcome:
        """Send a fax with one POST and return the outcome.

        Errors of the provider or the network are outcomes, too.

        Args:
            order: The fax.
            total_s: The maximum duration.
            may_send: Called right before the first byte of the body is sent. If it returns False, the outcome is
                ``NotSent``.
            failpoint: Called at the failpoints of a request, for tests.
        """
        call = Call(method="POST", path="/faxes", body=json_body(order))
        try:
            response = await self._http.exchange(call, total_s=total_s, may_send=may_send, failpoint=failpoint)
            return Accepted(
                update=_check_labels(read_fax(response.body, status=response.status), order, response.status)
            )
        except SinchError as error:
            return outcome_from_error(error)

    async def fax(self, fax_id: str, *, total_s: float) -> FaxUpdate | None:
        """Return a fax, or None if the provider does not know it.

        Raises:
            SinchError: the fax could not be read.
        """
        try:
            response = await self._reads.exchange(get_call(f"/faxes/{path_segment(fax_id)}"), total_s=total_s)
        except NotFoundError as error:
            if not error.sent_by_provider:  # a 404 of a gateway says nothing about the fax
                raise
            return None
        update = read_fax(response.body)
        if update.fax_id != fax_id:
            raise UnreadableError("the answer is another fax than the requested one")
        return update

    async def list_page(self, query: FaxQuery, page: int, *, total_s: float) -> ListPage:
        """Return one page of a list of faxes, counted from 1.

        Raises:
            SinchError: the page could not be read.
        """
        response = await self._reads.exchange(get_call("/faxes", query.params(page)), total_s=total_s)
        return read_page(response.body, query, page)

    async def check(self) -> None:
        """Check that address, project and credentials are correct.

        Raises:
            RefusedError: one of them is wrong.
            SinchError: the check failed for another reason.
        """
        try:
            await self.list_page(FaxQuery(page_size=1), 1, total_s=CHECK_S)
        except RefusedError as error:
            raise _explain(error) from error


def _check_labels(update: FaxUpdate, order: FaxOrder, status: int) -> FaxUpdate:
    """Return the fax in the answer to a POST with the labels that the order put on it.

    Raises:
        UnreadableError: The fax has labels of another attempt, so the answer belongs to another request.
    """
    sent = AttemptLabels.read(order.labels)
    if (update.job or sent.job, update.attempt or sent.attempt) != (sent.job, sent.attempt):
        raise UnreadableError("the answer is a fax with other labels", status=status)
    return replace(update, job=sent.job, attempt=sent.attempt, write_epoch=sent.write_epoch)


def outcome_from_error(error: SinchError) -> SendOutcome:
    """Return the outcome of a send that failed with this error."""
    match error:
        case NotSentError():
            return NotSent(reason=str(error))
        case RateLimitedError():
            return RateLimited(retry_after_s=error.retry_after_s)
        case RefusedError():
            return Refused(status=error.status, message=error.message, fields=error.fields)
        case UnclearError():
            return Unclear(reason=str(error), status=error.status, retry_after_s=error.retry_after_s)
        case UnreadableError():
            return Unclear(reason=str(error), status=error.status)
        case _:
            return Unclear(reason=str(error))


_EXPLANATIONS = {
    401: "the provider does not accept the key id and secret",
    403: "the key has no access to this project or to the Fax API",
    404: "the provider does not know the project id",
}


def _explain(error: RefusedError) -> RefusedError:
    if error.status not in _EXPLANATIONS:
        return error
    message = f"{_EXPLANATIONS[error.status]} ({error.message})" if error.message else _EXPLANATIONS[error.status]
    return type(error)(status=error.status, code=error.code, message=message, fields=error.fields)
