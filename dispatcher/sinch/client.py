"""The client of the Sinch Fax API v3. ``FaxClient`` itself has what the dispatcher needs; the rest hangs from it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from dispatcher.core.failpoints import FailpointHook
from dispatcher.core.outcome import (
    Accepted,
    FaxUpdate,
    NotSent,
    RateLimited,
    Refused,
    SendOutcome,
    Unclear,
)
from dispatcher.sinch.auth import Auth, Basic, OAuth
from dispatcher.sinch.errors import (
    NotFoundError,
    NotSentError,
    RateLimitedError,
    RefusedError,
    SinchError,
    UnclearError,
    UnreadableError,
)
from dispatcher.sinch.http import Call, SinchHttp, get, segment
from dispatcher.sinch.order import FaxOrder, json_body
from dispatcher.sinch.pool import HttpPool
from dispatcher.sinch.wire import AttemptLabels, FaxQuery, ListPage, read_fax, read_page

if TYPE_CHECKING:
    from dispatcher.sinch.cover_pages import CoverPages
    from dispatcher.sinch.emails import Emails
    from dispatcher.sinch.faxes import Faxes
    from dispatcher.sinch.services import Services

#: reads of one process at a time, on connections that no send waits for
READ_CONNECTIONS = 8
#: total time of the check of credentials
CHECK_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SinchAccount:
    """Where and as whom to call. ``connections`` is how many sends this process has in flight at most."""

    project_id: str
    key_id: str
    key_secret: str
    base_url: str = "https://fax.api.sinch.com"
    auth_url: str = "https://auth.sinch.com/oauth2/token"
    auth: Literal["oauth", "basic"] = "oauth"
    connections: int = 64

    def __repr__(self) -> str:
        """Without the secret, for logs."""
        return f"SinchAccount(project_id={self.project_id!r}, base_url={self.base_url!r}, auth={self.auth!r})"


def make_client(account: SinchAccount) -> "FaxClient":
    """A client with its own connections and token, for one event loop. Close it with aclose.

    Raises ValueError when an address is not a URL.
    """
    pool = HttpPool(account.connections)
    auth: Auth
    if account.auth == "basic":
        auth = Basic(account.key_id, account.key_secret)
    else:
        auth = OAuth(pool, account.auth_url, account.key_id, account.key_secret)
    return FaxClient(pool, auth, account.base_url, account.project_id, reads=pool.beside(READ_CONNECTIONS))


class FaxClient:
    """The operations of one project: ``faxes``, ``services``, ``emails`` and ``cover_pages`` hold the whole API.

    ``total_s`` bounds a whole call: token, connecting, repetitions, answer. What the dispatcher reads goes over
    ``reads``, a pool of its own, if one is given: reads that hang take no connection from sends.
    """

    def __init__(
        self, pool: HttpPool, auth: Auth, base_url: str, project_id: str, *, reads: HttpPool | None = None
    ) -> None:
        self._http = SinchHttp(pool, auth, base_url, project_id)
        self._reads = SinchHttp(reads, auth, base_url, project_id) if reads else self._http

    # late, all of them: what sends and looks faxes up does not need them, and has to be ready soon

    @cached_property
    def faxes(self) -> "Faxes":
        from dispatcher.sinch.faxes import Faxes

        return Faxes(self._http)

    @cached_property
    def services(self) -> "Services":
        from dispatcher.sinch.services import Services

        return Services(self._http)

    @cached_property
    def emails(self) -> "Emails":
        from dispatcher.sinch.emails import Emails

        return Emails(self._http)

    @cached_property
    def cover_pages(self) -> "CoverPages":
        from dispatcher.sinch.cover_pages import CoverPages

        return CoverPages(self._http)

    async def aclose(self) -> None:
        await self._http.aclose()
        if self._reads is not self._http:
            await self._reads.aclose()

    async def prepare(self) -> None:
        """Get what the first call would have to wait for: a token. What fails here is told by that call."""
        with suppress(SinchError):
            await self._http.prepare()

    async def send(
        self,
        order: FaxOrder,
        *,
        total_s: float,
        may_send: Callable[[], bool] | None = None,
        failpoint: FailpointHook | None = None,
    ) -> SendOutcome:
        """Make one POST and return its outcome. Never raises for anything that the provider or the network does.

        ``may_send`` is asked right before the first byte of the body leaves; False makes the outcome NotSent.
        ``failpoint`` is called at the failpoints on the way.
        """
        call = Call(method="POST", path="/faxes", body=json_body(order))
        try:
            answer = await self._http.exchange(call, total_s=total_s, may_send=may_send, at=failpoint)
            return Accepted(update=_of_order(read_fax(answer.body, status=answer.status), order, answer.status))
        except SinchError as exc:
            return outcome_of(exc)

    async def fax(self, fax_id: str, *, total_s: float) -> FaxUpdate | None:
        """One fax, or None when the provider does not know it. Raises SinchError otherwise."""
        try:
            answer = await self._reads.exchange(get(f"/faxes/{segment(fax_id)}"), total_s=total_s)
        except NotFoundError as exc:
            if not exc.told:  # a gateway's, that says nothing of the fax
                raise
            return None
        update = read_fax(answer.body)
        if update.fax_id != fax_id:
            raise UnreadableError("the answer is another fax than the one that was asked for")
        return update

    async def list_page(self, query: FaxQuery, page: int, *, total_s: float) -> ListPage:
        """One page of a list, counted from 1, by one call. Raises SinchError."""
        answer = await self._reads.exchange(get("/faxes", query.params(page)), total_s=total_s)
        return read_page(answer.body, query, page)

    async def check(self) -> None:
        """Make sure that address, project and credentials work. Raises RefusedError, or SinchError when unsure."""
        try:
            await self.list_page(FaxQuery(page_size=1), 1, total_s=CHECK_S)
        except RefusedError as exc:
            raise _explained(exc) from exc


def _of_order(update: FaxUpdate, order: FaxOrder, status: int) -> FaxUpdate:
    """Return the fax in the answer to a POST with the labels that the order put on it.

    Raises:
        UnreadableError: The fax has labels of another attempt, so the answer belongs to another request.
    """
    sent = AttemptLabels.read(order.labels)
    if (update.job or sent.job, update.attempt or sent.attempt) != (sent.job, sent.attempt):
        raise UnreadableError("the answer is a fax with other labels", status=status)
    return replace(update, job=sent.job, attempt=sent.attempt, write_epoch=sent.write_epoch)


def outcome_of(error: SinchError) -> SendOutcome:
    """What an error means for the send that it happened to."""
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


_EXPLAINED = {
    401: "the provider does not accept the key id and secret",
    403: "the key has no access to this project or to the Fax API",
    404: "the provider does not know the project id",
}


def _explained(error: RefusedError) -> RefusedError:
    if error.status not in _EXPLAINED:
        return error
    message = f"{_EXPLAINED[error.status]} ({error.message})" if error.message else _EXPLAINED[error.status]
    return type(error)(status=error.status, code=error.code, message=message, fields=error.fields)
