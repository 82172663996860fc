"""One sentence on a job."""

from dataclasses import replace

import pytest

from dispatcher.core.batch import BatchState, Command
from dispatcher.core.job import AttemptOutcome, FailureCode, HistoryEntry, JobId, Record, State
from dispatcher.service.explanation import explain
from dispatcher.service.views import BatchView, JobView, view_batch
from dispatcher.store.store import Store
from tests.service.samples import draft, recipients

pytestmark = pytest.mark.anyio

NOW_MS = 1_767_225_600_000
LATER_MS = NOW_MS + 60_000
LATER = "2026-01-01T00:01:00.000Z"
BUSY = HistoryEntry(
    attempt=1,
    at_ms=NOW_MS,
    outcome=AttemptOutcome.FAILED,
    failure=FailureCode(category="busy"),
    why="Busy: again in a minute.",
)


@pytest.fixture
async def batch(store: Store) -> BatchView:
    """A batch that runs."""
    name = await draft(store, 1)
    await store.batches.command(name, Command.START)
    return await view_batch(store, name)


def job(record: Record, next_ms: int | None = None) -> JobView:
    (recipient,) = recipients(1)
    return JobView(id=JobId("b", 0), recipient=recipient, record=record, next_ms=next_ms)


@pytest.mark.parametrize(
    ("record", "next_ms", "history", "words"),
    [
        (Record(state=State.DELIVERED, pages_sent=3), None, [], "3 pages arrived"),
        (
            Record(state=State.DELIVERED_UNCONFIRMED, pages_sent=2, pages_total=3),
            None,
            [],
            "2 of 3 pages arrived, but the call ended in an error",
        ),
        (
            Record(state=State.DELIVERED_UNCONFIRMED, failure=FailureCode(category="callback_missing")),
            None,
            [],
            "never reported a result: it may have arrived",
        ),
        (
            Record(state=State.FAILED, failure=FailureCode(category="bad_number")),
            None,
            [],
            "Failed permanently: bad_number.",
        ),
        (Record(state=State.CANCELLED), None, [], "cancelled before"),
        (Record(state=State.EXPIRED), None, [], "deadline"),
        (Record(state=State.LEASED), LATER_MS, [], "about to send"),
        (Record(state=State.SENDING), LATER_MS, [], "being sent to the provider"),
        (Record(state=State.SENDING, unclear=True), LATER_MS, [], f"The next search for it is at {LATER}"),
        (Record(state=State.ACCEPTED), LATER_MS, [], f"asks for it at {LATER}"),
        (Record(state=State.WAITING), LATER_MS, [BUSY], f"next attempt is at {LATER}: Busy: again in a minute."),
        (Record(state=State.WAITING), LATER_MS, [], f"next attempt is at {LATER}."),
        (Record(state=State.WAITING), NOW_MS, [BUSY], "waits for a permit under the account's rate limit"),
        (Record(state=State.WAITING), None, [], "waits for a permit under the account's rate limit"),
    ],
)
async def test_a_job_of_a_running_batch_says_where_it_is(
    batch: BatchView, record: Record, next_ms: int | None, history: list[HistoryEntry], words: str
) -> None:
    assert words in explain(batch, job(record, next_ms), history, NOW_MS)


async def test_a_job_that_is_held_itself_waits_for_a_person(batch: BatchView) -> None:
    held = replace(job(Record(state=State.WAITING)), held=True)
    assert "held until you release it: Busy: again in a minute." in explain(batch, held, [BUSY], NOW_MS)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (BatchState.DRAFT, "is waiting to be started"),
        (BatchState.SCHEDULED, "starts at"),
        (BatchState.PAUSED, "is waiting to be resumed"),
        (BatchState.HELD, "is held"),
    ],
)
async def test_a_waiting_job_of_a_batch_that_is_stopped_says_so_first(
    batch: BatchView, state: BatchState, words: str
) -> None:
    stopped = BatchView(overview=batch.overview, state=state)
    assert words in explain(stopped, job(Record(), LATER_MS), [BUSY], NOW_MS)


async def test_a_job_whose_country_is_held_says_so(store: Store) -> None:
    """The batch runs, and names the hold."""
    name = await draft(store, 1)
    await store.holds.open("country:US", "not_permitted", "no permission")
    await store.batches.command(name, Command.START)
    assert await store.dispatch.claim("bulk", max_jobs=1, max_ahead=1, max_in_flight=1) is None
    batch = await view_batch(store, name)
    assert (batch.state, [hold.scope for hold in batch.holds]) == (BatchState.RUNNING, ["country:US"])
    words = explain(batch, job(Record(country="US")), [], NOW_MS)
    assert words == "Its country is held (country:US): no permission"
