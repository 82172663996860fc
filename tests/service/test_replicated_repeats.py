"""A repeat that finds its work done acknowledges it no earlier than the first request: when enough replicas have it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.batch_change import BatchChange
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.limits.allowance import Period
from dispatcher.core.policy.policy import Policy
from dispatcher.core.suppressions import SuppressionSource
from dispatcher.core.webhooks import Endpoint
from dispatcher.service.account import change_limits, release_hold, release_holds, unblock_account
from dispatcher.service.changes import BatchChanges
from dispatcher.service.deletions import delete_batch, delete_document
from dispatcher.service.job_cancellation import cancel_jobs
from dispatcher.service.mailings import Allowed, Mailings, StartedPart
from dispatcher.service.suppressions import SuppressionFilter, remove_suppressions
from dispatcher.service.uploads import open_upload
from dispatcher.service.webhooks import EndpointChange, change_endpoint, create_endpoint, delete_endpoint
from dispatcher.store.errors import StoreNotReplicated
from dispatcher.store.store import Store
from tests.service.samples import add, definition, draft, recipients, running
from tests.store.replicas import Pair, open_pair

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    async with open_pair(tmp_path_factory.mktemp("pair")) as pair:
        yield pair
        os.kill(pair.replica.pid, signal.SIGCONT)


@pytest.fixture
async def web(pair: Pair) -> AsyncIterator[Store]:
    """Of a web process, which waits for one replica."""
    store = Store(pair.master.url, Policy(), documents_max_bytes=1_000, wait_replicas=1)
    await store.rate_limiter.set_ceiling(100.0)
    yield store
    await store.aclose()


async def fine() -> None:
    """The provider takes our key."""


async def upload(store: Store, batch: str) -> None:
    async with await open_upload(store, batch, "list") as again:
        await add(again, recipients(3), [])
        await again.finish()


async def test_a_repeat_waits_for_the_replicas_like_the_first_request(pair: Pair, web: Store) -> None:
    mailings = Mailings(web, fine, 1000, b"key")
    changes = BatchChanges(web, mailings, b"key")
    changed, started, listed = await draft(web, 3), await draft(web, 3, name="April"), await draft(web)
    ended, gone = await running(web, 3), await running(web, 3)
    await web.batches.command(gone, Command.CANCEL)
    missing = "0" * 64
    change = BatchChange(fields={"weight": 3})
    endpoint = Endpoint(id="", url="https://hooks.example.com/")
    hook = (await create_endpoint(web, endpoint, None, private=False)).endpoint.id

    def requests() -> list[Awaitable[object]]:
        return [
            mailings.create(definition("May"), "key"),
            mailings.command(started, Command.START, Allowed(repeat=True), StartedPart(first=2)),
            mailings.continue_batch(started),
            changes.change(changed, change, Allowed()),
            upload(web, listed),
            cancel_jobs(web, ended, JobFilter(), reason="wrong list", preview=False),
            delete_batch(web, gone),
            delete_document(web, missing),
            remove_suppressions(web, SuppressionFilter(source=SuppressionSource.MANUAL.value)),
            change_limits(web, {Period.SECOND: 50.0}),
            create_endpoint(web, endpoint, "key", private=False),
            change_endpoint(web, hook, EndpointChange(description="ours"), private=False),
            delete_endpoint(web, "we_gone"),
            unblock_account(web),
            release_hold(web, "country:AQ"),
            release_holds(web),
        ]

    for request in requests():
        await request
    os.kill(pair.replica.pid, signal.SIGSTOP)
    outcomes = await asyncio.gather(*requests(), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreNotReplicated] * len(outcomes)
    os.kill(pair.replica.pid, signal.SIGCONT)
    await pair.in_step()
    await asyncio.gather(*requests())
