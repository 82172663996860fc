"""Fax to email: which mail addresses of a service send and receive on which of its numbers."""

from collections.abc import AsyncIterator, Sequence
from functools import partial

from dispatcher.sinch.coerce import text
from dispatcher.sinch.http import CALL_S, Call, SinchHttp, get, json_call, segment
from dispatcher.sinch.models import Email, EmailNumber, read_answer, read_resource
from dispatcher.sinch.paging import Page, page_query, read_list, walk

PAGE_SIZE = 100


class Emails:
    """Operations on the mail addresses of services. All raise SinchError."""

    def __init__(self, http: SinchHttp) -> None:
        self._http = http

    async def add(
        self, service_id: str, email: str, numbers: Sequence[EmailNumber], *, total_s: float = CALL_S
    ) -> Email:
        """Add an address. Raises ValueError without numbers: the provider would answer 200 and create nothing."""
        if not numbers:
            raise ValueError("an address needs at least one number")
        call = json_call("POST", _path(service_id), {"email": email, **_numbers(numbers)})
        return read_answer(Email, (await self._http.exchange(call, total_s=total_s)).body)

    async def update(
        self, service_id: str, email: str, numbers: Sequence[EmailNumber], *, total_s: float = CALL_S
    ) -> Email:
        """Replace the numbers of an address."""
        call = json_call("PUT", _path(service_id, email), _numbers(numbers))
        return read_answer(Email, (await self._http.exchange(call, total_s=total_s)).body)

    async def delete(self, service_id: str, email: str, *, total_s: float = CALL_S) -> None:
        await self._http.exchange(Call(method="DELETE", path=_path(service_id, email)), total_s=total_s)

    async def page(
        self, service_id: str, page: int = 1, *, page_size: int = PAGE_SIZE, total_s: float = CALL_S
    ) -> Page[Email]:
        answer = await self._http.exchange(get(_path(service_id), page_query(page, page_size)), total_s=total_s)
        return read_list(answer.body, "emails", partial(read_resource, Email), page=page, page_size=page_size)

    def walk(self, service_id: str) -> AsyncIterator[Email]:
        """Every address of a service once."""
        return walk(partial(self.page, service_id), key=lambda email: email.email)

    async def of_number_page(
        self, service_id: str, number: str, page: int = 1, *, page_size: int = PAGE_SIZE, total_s: float = CALL_S
    ) -> Page[str]:
        """The addresses of one number, as text."""
        path = f"/services/{segment(service_id)}/numbers/{segment(number)}/emails"
        answer = await self._http.exchange(get(path, page_query(page, page_size)), total_s=total_s)
        return read_list(answer.body, "emails", text, page=page, page_size=page_size)

    def walk_of_number(self, service_id: str, number: str) -> AsyncIterator[str]:
        """Every address of a number once."""
        return walk(partial(self.of_number_page, service_id, number), key=lambda email: email)

    async def numbers_page(
        self, service_id: str, email: str, page: int = 1, *, page_size: int = PAGE_SIZE, total_s: float = CALL_S
    ) -> Page[EmailNumber]:
        """The numbers of one address."""
        path = f"{_path(service_id, email)}/numbers"
        answer = await self._http.exchange(get(path, page_query(page, page_size)), total_s=total_s)
        return read_list(answer.body, "phoneNumbers", _read_number, page=page, page_size=page_size)

    def walk_numbers(self, service_id: str, email: str) -> AsyncIterator[EmailNumber]:
        """Every number of an address once."""
        return walk(partial(self.numbers_page, service_id, email), key=lambda number: number.number)


def _path(service_id: str, email: str | None = None) -> str:
    emails = f"/services/{segment(service_id)}/emails"
    return emails if email is None else f"{emails}/{segment(email)}"


def _numbers(numbers: Sequence[EmailNumber]) -> dict[str, object]:
    return {"phoneNumbers": [number.model_dump() for number in numbers]}


def _read_number(item: object) -> EmailNumber:
    """Objects with the number as ``phoneNumber``, or ``number`` as in an address; plain numbers as older servers do."""
    if isinstance(item, str):
        return read_resource(EmailNumber, {"number": item})
    if isinstance(item, dict) and "phoneNumber" in item:
        return read_resource(EmailNumber, {**item, "number": item["phoneNumber"]})
    return read_resource(EmailNumber, item)
