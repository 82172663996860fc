"""Uploaded documents: what becomes of a check."""

from collections.abc import Iterator
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO

import pytest

from dispatcher.child_process.runner import ChildFailed, ChildProcesses, Ending
from dispatcher.service.documents import DocumentIntake
from dispatcher.service.errors import TooLarge, Unreadable
from dispatcher.store.documents import DocumentWarning
from dispatcher.store.store import Store
from tests.documents.pdfs import letter

pytestmark = pytest.mark.anyio

WARNING = {"code": "blank_page", "page": 2, "sentence": "Page 2 is blank."}


class FakeProcesses(ChildProcesses):
    """Gives an answer without a process."""

    def __init__(self, result: dict[str, object] | ChildFailed) -> None:
        self._result = result

    async def answer(self, *_: object, **__: object) -> dict[str, object]:
        if isinstance(self._result, ChildFailed):
            raise self._result
        return self._result


@pytest.fixture
def file() -> Iterator[IO[bytes]]:
    with TemporaryFile() as file:
        file.write(letter(2))
        yield file


async def test_a_document_is_stored_after_its_check(store: Store, file: IO[bytes]) -> None:
    info = await DocumentIntake(store, ChildProcesses(), max_pages=2).take(file, "a.pdf")
    assert (info.pages, info.name, info.size, info.warnings) == (2, "a.pdf", len(letter(2)), ())
    assert await store.documents.content(info.sha256) == letter(2)
    assert await store.documents.info(info.sha256) == info


async def test_a_refused_document_is_not_stored(store: Store, file: IO[bytes]) -> None:
    with pytest.raises(Unreadable, match="more than 1 page:"):
        await DocumentIntake(store, ChildProcesses(), max_pages=1).take(file, "a.pdf")
    assert await store.documents.info(sha256(letter(2)).hexdigest()) is None


@pytest.mark.parametrize("ending", Ending)
async def test_a_check_without_a_result_refuses_the_document_and_says_why(
    store: Store, file: IO[bytes], ending: Ending
) -> None:
    intake = DocumentIntake(store, FakeProcesses(ChildFailed(ending, 1)), max_pages=9)
    with pytest.raises(Unreadable, match="print it to a new PDF"):
        await intake.take(file, "a.pdf")


async def test_a_document_over_the_providers_limit_is_not_checked(store: Store, file: IO[bytes]) -> None:
    file.truncate(20_000_001)
    with pytest.raises(TooLarge, match="20,000,001"):
        await DocumentIntake(store, FakeProcesses({}), max_pages=9).take(file, "a.pdf")


async def test_warnings_are_kept_and_replaced_by_those_of_the_latest_check(store: Store, file: IO[bytes]) -> None:
    seen = {"pages": 2, "warnings": [WARNING], "sending_s": 61.5}
    info = await DocumentIntake(store, FakeProcesses(seen), max_pages=9).take(file, "a.pdf")
    assert (info.warnings, info.sending_s) == ((DocumentWarning(**WARNING),), 61.5)  # type: ignore[arg-type]
    assert await store.documents.info(info.sha256) == info
    again = await DocumentIntake(store, FakeProcesses(seen | {"warnings": []}), max_pages=9).take(file, "b.pdf")
    assert (again.warnings, again.name) == ((), "a.pdf")
    assert await store.documents.info(info.sha256) == again


async def test_a_document_of_an_earlier_version_has_no_warnings(store: Store, file: IO[bytes]) -> None:
    info = await store.documents.put(b"%PDF", "a.pdf", 1)
    await store.documents._client.hdel(store.documents._keys.document(info.sha256), "warnings", "sending_s")
    assert await store.documents.info(info.sha256) == info
