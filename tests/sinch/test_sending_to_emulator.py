"""The dispatcher's calls against the emulator: every outcome of a send, read-back, lists, callbacks."""

from collections.abc import Iterator
from typing import get_args
from zlib import crc32

import pytest

from dispatcher.core.outcome import Accepted, FaxStatus, NotSent, RateLimited, Refused, SendOutcome, Unclear
from dispatcher.emulator import EmulatorConfig, running
from dispatcher.sinch.callback_url import callback_url
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackReader
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import RefusedError
from dispatcher.sinch.order import FaxOrder
from dispatcher.sinch.wire import FaxQuery
from tests.emulator.emulator_client import EmulatorClient
from tests.emulator.receiver import CallbackServer
from tests.sinch.emulator_account import PDF, client_of, fax_to

pytestmark = pytest.mark.anyio


@pytest.fixture
def resettable(emulator: EmulatorClient) -> Iterator[EmulatorClient]:
    """The shared emulator for tests that load a scenario; the empty scenario is loaded afterwards."""
    yield emulator
    emulator.load_scenario("")


async def final(client: FaxClient, fax_id: str) -> FaxStatus:
    while True:
        update = await client.fax(fax_id, total_s=10)
        assert update is not None
        if update.status is not FaxStatus.UNFINISHED:
            return update.status


@pytest.mark.parametrize("auth", ["oauth", "basic"])
async def test_a_fax_is_sent_read_back_and_found_in_the_list(emulator: EmulatorClient, auth: str) -> None:
    number = "+12025550110" if auth == "oauth" else "+12025550111"
    async with client_of(emulator, auth=auth) as client:
        outcome = await client.send(fax_to(number), total_s=10)
        assert isinstance(outcome, Accepted)
        assert (outcome.update.job, outcome.update.attempt, outcome.update.to) == ("b1.7", 2, number)
        assert await final(client, outcome.update.fax_id) is FaxStatus.COMPLETED
        created_ms = outcome.update.created_ms
        query = FaxQuery(to=number, created_from_ms=created_ms, created_to_ms=created_ms)
        page = await client.list_page(query, 1, total_s=10)
    assert [(update.fax_id, update.job, update.attempt) for update in page.faxes] == [
        (outcome.update.fax_id, "b1.7", 2)
    ]
    assert page.total_pages == 1


async def test_no_send_lets_the_provider_repeat_calls(emulator: EmulatorClient) -> None:
    async with client_of(emulator) as client:
        outcome = await client.send(fax_to("+12025550112"), total_s=10)
        assert isinstance(outcome, Accepted)
        assert (await client.faxes.get(outcome.update.fax_id)).max_retries == 0


async def test_an_unknown_fax_is_none(emulator: EmulatorClient) -> None:
    async with client_of(emulator) as client:
        assert await client.fax("01HXXXXXXXXXXXXXXXXXXXXXXX", total_s=10) is None


@pytest.mark.parametrize(
    ("fault", "outcome_type", "accepted"),
    [
        ("500_before", Unclear, 0),
        ("500_after", Unclear, 1),
        ("502_after", Unclear, 1),
        ("503_before retry-after 4", Unclear, 0),
        ("504_after", Unclear, 1),
        ("408_after", Unclear, 1),
        ("drop_before", Unclear, 0),
        ("drop_after", Unclear, 1),
        ("stall_before", Unclear, 0),
        ("stall", Unclear, 1),
        ("400", Refused, 0),
        ("401", Refused, 0),
        ("402", Refused, 0),
        ("403", Refused, 0),
        ("404", Refused, 0),
        ("413", Refused, 0),
        ("422 field from", Refused, 0),
        ("429 retry-after 7", RateLimited, 0),
    ],
)
async def test_each_fault_has_its_outcome_and_only_an_unclear_fax_may_have_been_accepted(
    resettable: EmulatorClient, fault: str, outcome_type: type[SendOutcome], accepted: int
) -> None:
    number = f"+1202555{crc32(fault.encode()) % 10_000:04}"
    resettable.load_scenario(f'[[numbers]]\nto = "{number}"\nrequests = ["{fault}"]')
    before = sum(entry["to"] == number for entry in resettable.ledger())
    async with client_of(resettable) as client:
        await client.check()
        outcome = await client.send(fax_to(number), total_s=1.5 if "stall" in fault else 10)
    assert outcome_type in get_args(SendOutcome)
    assert isinstance(outcome, outcome_type)
    assert sum(entry["to"] == number for entry in resettable.ledger()) - before == accepted
    if isinstance(outcome, Unclear | RateLimited) and "retry-after" in fault:
        assert outcome.retry_after_s == float(fault.rpartition(" ")[2])
    if isinstance(outcome, Refused) and "field" in fault:
        assert outcome.fields == ("from",)


async def test_a_bad_number_is_refused_by_its_field(emulator: EmulatorClient) -> None:
    async with client_of(emulator) as client:
        outcome = await client.send(fax_to("12"), total_s=10)
    assert isinstance(outcome, Refused)
    assert (outcome.status, outcome.fields) == (422, ("to",))


async def test_an_expired_token_is_renewed_within_the_send() -> None:
    with running(EmulatorConfig(speed=1000, token_life_s=1)) as server, EmulatorClient(server) as emulator:
        async with client_of(emulator) as client:
            for count in range(3):
                assert isinstance(await client.send(fax_to(f"+1202555013{count}"), total_s=10), Accepted)
                emulator.control("POST", "clock", json={"seconds": 5})


async def test_a_rate_limit_is_an_outcome(emulator: EmulatorClient) -> None:
    with running(EmulatorConfig(rate=1, burst=1)) as server, EmulatorClient(server) as strict:
        async with client_of(strict) as client:
            outcomes = [await client.send(fax_to("+12025550114"), total_s=10) for _ in range(3)]
    assert any(isinstance(outcome, RateLimited) for outcome in outcomes)
    assert all(isinstance(outcome, RateLimited | Accepted) for outcome in outcomes)


async def test_without_a_server_a_fax_is_not_sent() -> None:
    with running(EmulatorConfig()) as server, EmulatorClient(server) as gone:
        pass
    async with client_of(gone, auth="basic") as client:
        assert isinstance(await client.send(fax_to("+12025550115"), total_s=5), NotSent)


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"key_secret": "wrong"}, 401), ({"key_secret": "wrong", "auth": "basic"}, 401), ({"project_id": "other"}, None)],
)
async def test_the_check_finds_wrong_settings(
    emulator: EmulatorClient, changes: dict[str, str], status: int | None
) -> None:
    async with client_of(emulator, **changes) as client:
        with pytest.raises(RefusedError) as raised:
            await client.check()
    assert status in {None, raised.value.status}


async def test_a_callback_is_the_same_as_a_read_back(emulator: EmulatorClient, receiver: CallbackServer) -> None:
    fax = fax_to("+12025550116", callback_url=callback_url(receiver.url("/prefix"), "b1.7", 2, b"key"))
    async with client_of(emulator) as client:
        outcome = await client.send(fax, total_s=10)
        assert isinstance(outcome, Accepted)
        delivery = receiver.next_delivery()
        reader = CallbackReader(delivery.headers["content-type"])
        reader.feed(delivery.body)
        event = reader.finish()
        assert event.event == FAX_COMPLETED
        assert event.update == await client.fax(outcome.update.fax_id, total_s=10)
    assert delivery.path.startswith("/prefix/callbacks/sinch/b1.7/2/")


async def test_a_multipart_callback_is_read_too(emulator: EmulatorClient, receiver: CallbackServer) -> None:
    order = FaxOrder(
        to=("+12025550117",),
        files=(PDF,),
        callback_url=receiver.url(),
        callback_content_type="multipart/form-data",
    )
    async with client_of(emulator) as client:
        (sent,) = await client.faxes.send(order)
    delivery = receiver.next_delivery()
    reader = CallbackReader(delivery.headers["content-type"])
    reader.feed(delivery.body)
    assert reader.finish().fax_id == sent.id
