"""Each operation of the API through the client, against the emulator over real HTTP."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dispatcher.core.options import FaxOptions
from dispatcher.emulator import EmulatorConfig, running
from dispatcher.sinch.errors import NotFoundError, RefusedError, SaveError
from dispatcher.sinch.models import EmailNumber
from dispatcher.sinch.order import FaxOrder
from dispatcher.sinch.services import ServiceSettings
from dispatcher.sinch.wire import FaxQuery
from tests.emulator.emulator_client import TWO_PAGES, EmulatorClient
from tests.sinch.emulator_account import PDF, client_of

pytestmark = pytest.mark.anyio

NUMBER = "+12025550123"
ORDER = FaxOrder(to=(NUMBER,), files=(PDF,))


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / 'a "letter".pdf'
    path.write_bytes(TWO_PAGES)
    return path


@pytest.fixture
def own_emulator() -> Iterator[EmulatorClient]:
    """A client of a separate emulator, for a test that counts everything in it."""
    with running(EmulatorConfig(speed=1000)) as server, EmulatorClient(server) as client:
        yield client


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def send(emulator: EmulatorClient, order: FaxOrder) -> str:
    async with client_of(emulator) as client:
        (fax,) = await client.faxes.send(order)
    return fax.id


# -- sending


async def test_several_recipients_get_a_fax_each(emulator: EmulatorClient) -> None:
    numbers = (NUMBER, "+12025550124", "+442079460101")
    async with client_of(emulator) as client:
        faxes = await client.faxes.send(replace(ORDER, to=numbers, labels={"run": "7"}))
    assert sorted(fax.to for fax in faxes) == sorted(numbers)
    assert len({fax.id for fax in faxes}) == 3
    assert all(fax.labels == {"run": "7"} for fax in faxes)


async def test_a_file_goes_out_as_multipart(emulator: EmulatorClient, letter: Path) -> None:
    order = FaxOrder(
        to=(NUMBER, "+12025550124"),
        paths=(letter, letter),
        labels={"run": "7"},
        options=FaxOptions(header_text="Größe", header_page_numbers=False, resolution="SUPERFINE"),
        max_retries=2,
    )
    async with client_of(emulator) as client:
        fax = (await client.faxes.send(order))[0]
        shown = await client.faxes.get(fax.id)
    assert shown.labels == {"run": "7"}
    assert (shown.header_text, shown.header_page_numbers, shown.resolution) == ("Größe", False, "SUPERFINE")
    assert shown.max_retries == 2
    assert emulator.wait_until_final(fax.id)["numberOfPages"] == 4


async def test_a_document_may_be_named_by_url(emulator: EmulatorClient) -> None:
    url = f"{emulator.server.url}/no-such-document.pdf"
    fax_id = await send(emulator, FaxOrder(to=(NUMBER,), content_urls=(url,)))
    async with client_of(emulator) as client:
        assert (await client.faxes.get(fax_id)).content_url == (url,)


@pytest.mark.parametrize(
    "order", [FaxOrder(to=(NUMBER,)), replace(ORDER, to=()), replace(ORDER, paths=(Path("a.pdf"),))]
)
async def test_an_incomplete_order_is_not_sent(emulator: EmulatorClient, order: FaxOrder) -> None:
    async with client_of(emulator) as client:
        with pytest.raises(ValueError, match="an order needs"):
            await client.faxes.send(order)


async def test_a_refused_order_says_why(emulator: EmulatorClient) -> None:
    async with client_of(emulator) as client:
        with pytest.raises(RefusedError) as raised:
            await client.faxes.send(replace(ORDER, options=FaxOptions(header_text="x" * 51)))
    assert raised.value.fields == ("headerText",)


# -- reading


async def test_a_list_is_filtered_by_everything_there_is(emulator: EmulatorClient) -> None:
    number = "+12025550177"
    fax_id = await send(emulator, replace(ORDER, to=(number,), options=FaxOptions(sender="+12025550188")))
    emulator.wait_until_final(fax_id)
    async with client_of(emulator) as client:
        created_ms = (await client.list_page(FaxQuery(to=number), 1, total_s=10)).faxes[0].created_ms
    queries = [
        FaxQuery(to=number),
        FaxQuery(to=number[:-1], sender="+12025550188"),
        FaxQuery(status="COMPLETED", sender="+12025550188"),
        FaxQuery(service_id=emulator.default_service, sender="+12025550188"),
        FaxQuery(direction="OUTBOUND", sender="+12025550188", created_from_ms=created_ms),
    ]
    async with client_of(emulator) as client:
        for query in queries:
            page = await client.faxes.page(query)
            assert [fax.id for fax in page.items] == [fax_id], query
        for query in (FaxQuery(direction="INBOUND"), FaxQuery(to=number, status="FAILURE")):
            assert (await client.faxes.page(query)).items == ()


@pytest.mark.parametrize("page_size", [1, 3, 7, 1000])
async def test_a_walk_meets_each_fax_once_while_new_ones_arrive(own_emulator: EmulatorClient, page_size: int) -> None:
    before = {own_emulator.send_accepted(f"+120255502{n:02}")["id"] for n in range(10)}
    later = iter(range(20))

    async def before_page() -> None:
        for n in itertools.islice(later, 1):
            own_emulator.send_accepted(f"+120255503{n:02}")

    async with client_of(own_emulator) as client:
        query = FaxQuery(page_size=page_size)
        now_ms = max(fax.created_ms for fax in (await client.list_page(query, 1, total_s=10)).faxes)
        fax_ids = [fax.id async for fax in client.faxes.iter_all(query, now_ms=now_ms, before_page=before_page)]
    assert len(fax_ids) == len(set(fax_ids))
    assert before <= set(fax_ids)


async def test_a_walk_by_a_passing_status_skips_nothing_that_keeps_it(own_emulator: EmulatorClient) -> None:
    ids = {own_emulator.send_accepted(f"+120255502{n:02}")["id"] for n in range(6)}
    for fax_id in ids:
        own_emulator.wait_until_final(fax_id)
    async with client_of(own_emulator) as client:
        now_ms = (await client.list_page(FaxQuery(), 1, total_s=10)).faxes[0].created_ms
        completed = FaxQuery(status="COMPLETED", page_size=2)
        passing = FaxQuery(status="IN_PROGRESS", page_size=2)
        assert {fax.id async for fax in client.faxes.iter_all(completed, now_ms=now_ms)} == ids
        assert [fax async for fax in client.faxes.iter_all(passing, now_ms=now_ms)] == []


async def test_a_list_is_exported_as_csv(emulator: EmulatorClient, tmp_path: Path) -> None:
    fax_id = await send(emulator, replace(ORDER, to=("+12025550178",)))
    target = tmp_path / "faxes.csv"
    async with client_of(emulator) as client:
        size = await client.faxes.export_csv(FaxQuery(to="+12025550178"), target)
    text = target.read_text(encoding="utf-8")
    assert size == target.stat().st_size
    assert text.startswith("Id,Direction,From,To")
    assert fax_id in text


# -- contents


async def test_a_content_is_downloaded_and_deleted(emulator: EmulatorClient, tmp_path: Path) -> None:
    fax_id = await send(emulator, ORDER)
    emulator.wait_until_final(fax_id)
    target = tmp_path / "fax.pdf"
    async with client_of(emulator) as client:
        assert await client.faxes.download(fax_id, target) == target.stat().st_size
        assert target.read_bytes().startswith(b"%PDF")
        await client.faxes.delete_content(fax_id)
        assert not (await client.faxes.get(fax_id)).has_file
        with pytest.raises(NotFoundError):
            await client.faxes.download(fax_id, tmp_path / "gone.pdf")
    assert names_in(tmp_path) == ["fax.pdf"]


async def test_a_download_that_cannot_be_written_is_an_error(emulator: EmulatorClient, tmp_path: Path) -> None:
    fax_id = await send(emulator, ORDER)
    async with client_of(emulator) as client:
        with pytest.raises(SaveError):
            await client.faxes.download(fax_id, tmp_path / "no folder" / "fax.pdf")


# -- services


async def test_a_service_is_created_changed_and_deleted(emulator: EmulatorClient) -> None:
    async with client_of(emulator) as client:
        created = await client.services.create(ServiceSettings(name="Letters", number_of_retries=1))
        assert (created.name, created.number_of_retries, created.default_for_project) == ("Letters", 1, False)
        changed = await client.services.update(created.id, ServiceSettings(name="Reminders"))
        assert (changed.name, changed.number_of_retries) == ("Reminders", 1)
        assert await client.services.get(created.id) == changed
        assert created.id in {service.id async for service in client.services.iter_all()}
        assert len((await client.services.page(page_size=1)).items) == 1
        await client.services.delete(created.id)
        with pytest.raises(NotFoundError):
            await client.services.get(created.id)


async def test_the_numbers_of_a_service_are_walked(emulator: EmulatorClient) -> None:
    async with client_of(emulator) as client:
        created = await client.services.create(ServiceSettings())
        for number in ("+12025550161", "+12025550162"):
            emulator.control("POST", "numbers", json={"phoneNumber": number, "serviceId": created.id})
        numbers = {number.phone_number async for number in client.services.walk_numbers(created.id)}
        assert (await client.services.numbers_page(created.id, 2, page_size=1)).total_pages == 2
    assert numbers == {"+12025550161", "+12025550162"}


# -- fax to email


async def test_an_email_address_is_created_changed_and_deleted(emulator: EmulatorClient) -> None:
    emails = "it's+a@example.org"
    first, second = EmailNumber(number=NUMBER, permissions="send"), EmailNumber(number="+12025550124")
    async with client_of(emulator) as client:
        service = (await client.services.create(ServiceSettings())).id
        created = await client.emails.add(service, emails, [first])
        assert (created.email, created.phone_numbers) == (emails, (first,))
        assert created.created_at is not None
        changed = await client.emails.update(service, emails, [first, second])
        assert changed.phone_numbers == (first, second)
        assert [email.email async for email in client.emails.iter_all(service)] == [emails]
        assert [number async for number in client.emails.walk_numbers(service, emails)] == [first, second]
        assert [email async for email in client.emails.walk_of_number(service, NUMBER)] == [emails]
        await client.emails.delete(service, emails)
        assert (await client.emails.page(service)).items == ()


async def test_an_address_without_numbers_is_not_added(emulator: EmulatorClient) -> None:
    async with client_of(emulator) as client:
        with pytest.raises(ValueError, match="at least one number"):
            await client.emails.add(emulator.default_service, "a@example.org", [])


# -- cover pages


async def test_a_cover_page_is_created_read_and_deleted(emulator: EmulatorClient) -> None:
    async with client_of(emulator) as client:
        service = (await client.services.create(ServiceSettings())).id
        created = await client.cover_pages.add(service, "Front", TWO_PAGES)
        assert (created.name, created.service_id) == ("Front", service)
        assert await client.cover_pages.get(service, created.id) == created
        assert [page.id async for page in client.cover_pages.iter_all(service)] == [created.id]
        await client.cover_pages.delete(service, created.id)
        with pytest.raises(NotFoundError):
            await client.cover_pages.get(service, created.id)
