"""Operations on fax to email: which addresses of a service may send and receive faxes with which of its numbers."""

from collections.abc import AsyncIterator, Sequence
from functools import partial

from dispatcher.sinch.coerce import text
from dispatcher.sinch.http import CALL_S, Call, SinchHttp, get_call, json_call, path_segment
from dispatcher.sinch.models import Email, EmailNumber, read_resource, read_response
from dispatcher.sinch.paging import Page, iter_all, page_query, read_list

PAGE_SIZE = 100


class Emails:
    """Operations on the email addresses of services.

    All of them raise ``SinchError``.
    """

    def __init__(self, http: SinchHttp) -> None:
        self._http = http

    async def add(
        self, service_id: str, email: str, numbers: Sequence[EmailNumber], *, total_s: float = CALL_S
    ) -> Email:
        """Add an address.

        Raises:
            ValueError: there are no numbers; the provider would answer 200 and create nothing.
        """
        if not numbers:
            raise ValueError("an address needs at least one number")
        call = json_call("POST", _path(service_id), {"email": email, **_numbers(numbers)})
        return read_response(Email, (await self._http.exchange(call, total_s=total_s)).body)

    async def update(
        self, service_id: str, email: str, numbers: Sequence[EmailNumber], *, total_s: float = CALL_S
    ) -> Email:
        """Replace the numbers of an address."""
        call = json_call("PUT", _path(service_id, email), _numbers(numbers))
        return read_response(Email, (await self._http.exchange(call, total_s=total_s)).body)

    async def delete(self, service_id: str, email: str, *, total_s: float = CALL_S) -> None:
        """Remove an address from a service."""
        await self._http.exchange(Call(method="DELETE", path=_path(service_id, email)), total_s=total_s)

    async def page(
        self, service_id: str, page: int = 1, *, page_size: int = PAGE_SIZE, total_s: float = CALL_S
    ) -> Page[Email]:
        """Return one page of the addresses of a service."""
        response = await self._http.exchange(get_call(_path(service_id), page_query(page, page_size)), total_s=total_s)
        return read_list(response.body, "emails", partial(read_resource, Email), page=page)

    def iter_all(self, service_id: str) -> AsyncIterator[Email]:
        """Iterate over all addresses of a service."""
        return iter_all(partial(self.page, service_id), key=lambda email: email.email)

    async def of_number_page(
        self, service_id: str, number: str, page: int = 1, *, page_size: int = PAGE_SIZE, total_s: float = CALL_S
    ) -> Page[str]:
        """Return one page of the addresses of a number."""
        path = f"/services/{path_segment(service_id)}/numbers/{path_segment(number)}/emails"
        response = await self._http.exchange(get_call(path, page_query(page, page_size)), total_s=total_s)
        return read_list(response.body, "emails", text, page=page)

    def walk_of_number(self, service_id: str, number: str) -> AsyncIterator[str]:
        """Iterate over all addresses of a number."""
        return iter_all(partial(self.of_number_page, service_id, number), key=lambda email: email)

    async def numbers_page(
        self, service_id: str, email: str, page: int = 1, *, page_size: int = PAGE_SIZE, total_s: float = CALL_S
    ) -> Page[EmailNumber]:
        """Return one page of the numbers of an address."""
        path = f"{_path(service_id, email)}/numbers"
        response = await self._http.exchange(get_call(path, page_query(page, page_size)), total_s=total_s)
        return read_list(response.body, "phoneNumbers", _read_number, page=page)

    def walk_numbers(self, service_id: str, email: str) -> AsyncIterator[EmailNumber]:
        """Iterate over all numbers of an address."""
        return iter_all(partial(self.numbers_page, service_id, email), key=lambda number: number.number)


def _path(service_id: str, email: str | None = None) -> str:
    emails = f"/services/{path_segment(service_id)}/emails"
    return emails if email is None else f"{emails}/{path_segment(email)}"


def _numbers(numbers: Sequence[EmailNumber]) -> dict[str, object]:
    return {"phoneNumbers": [number.model_dump() for number in numbers]}


def _read_number(item: object) -> EmailNumber:
    """Read a number: an object with ``phoneNumber`` or ``number``, or a string, as older servers send it."""
    if isinstance(item, str):
        return read_resource(EmailNumber, {"number": item})
    if isinstance(item, dict) and "phoneNumber" in item:
        return read_resource(EmailNumber, {**item, "number": item["phoneNumber"]})
    return read_resource(EmailNumber, item)
