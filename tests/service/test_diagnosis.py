"""What is wrong with a batch: the facts are those of the store, and work on large batches is bounded."""

from dataclasses import replace

import pytest

from dispatcher.core.batch import BatchState, Command
from dispatcher.core.diagnosis import Cause
from dispatcher.core.job import FailureCode, JobId, State
from dispatcher.core.policy.policy import Policy
from dispatcher.service import diagnosis
from dispatcher.service.diagnosis import Diagnosis, diagnose_batch
from dispatcher.service.mailings import Mailings
from dispatcher.store.dispatch import StoredTransition
from dispatcher.store.store import Store
from tests.service.samples import draft, running

pytestmark = pytest.mark.anyio
BUSY = FailureCode(category="busy", error_type="CALL_ERROR", error_code=17)


async def fine() -> None:
    """The provider takes our key."""


async def diagnosed(store: Store, batch: str, *, callbacks: bool = False) -> Diagnosis:
    return await diagnose_batch(store, batch, Policy(), max_in_flight=100, expects_callbacks=callbacks)


async def end(store: Store, batch: str, rows: range, state: State, next_ms: int = 1) -> None:
    """Let calls of leased jobs end; those that do not arrive were busy."""
    failure = FailureCode(category="") if state is State.DELIVERED else BUSY
    changes = [
        StoredTransition(
            job=stored.job,
            old=stored.record,
            new=replace(stored.record, state=state, lease=0, failure=failure, changed_ms=await store.clock.ask()),
            next_ms=next_ms,
        )
        for stored in await store.dispatch.stored([JobId(batch, row) for row in rows])
        if stored
    ]
    assert set(await store.dispatch.settle(changes)) == {None}


async def calls(store: Store, jobs: int) -> None:
    await store.workers.register("w", "1", room=100)
    leased = await store.dispatch.claim("bulk", max_jobs=jobs, max_ahead=1000, max_in_flight=1000)
    assert leased
    assert len(leased.jobs) == jobs


async def test_failures_have_their_share_examples_and_time(store: Store) -> None:
    batch = await running(store, 30)
    await calls(store, 30)
    await end(store, batch, range(20), State.DELIVERED)
    await end(store, batch, range(20, 30), State.FAILED)
    finding = (await diagnosed(store, batch)).findings[0]
    assert (finding.cause, finding.jobs, round(finding.share, 2)) == (Cause.RECIPIENTS, 10, 0.33)
    assert finding.examples == (f"{batch}.20", f"{batch}.21", f"{batch}.22")
    assert finding.since_ms > 0


async def test_a_batch_whose_rest_waits_for_retries_says_when(store: Store) -> None:
    batch = await running(store, 4)
    await calls(store, 4)
    now_ms = await store.clock.ask()
    await end(store, batch, range(2), State.DELIVERED)
    await end(store, batch, range(2, 3), State.WAITING, now_ms + 730_000)
    await end(store, batch, range(3, 4), State.WAITING, now_ms + 7_200_000)
    (finding,) = [item for item in (await diagnosed(store, batch)).findings if item.cause is Cause.WAITING_FOR_RETRY]
    assert finding.jobs == 2
    assert "2 busy; next try in 12 m, the last at 20" in finding.sentence
    assert finding.until_ms == now_ms + 730_000


async def test_holds_of_the_batch_and_of_its_jobs_are_named(store: Store) -> None:
    batch = await running(store, 10)
    for row in range(3):
        await store.holds.open(f"job:{batch}.{row}", "submit_unknown", "the provider does not know the fax")
    await store.holds.open("country:AQ", "not_permitted", "another country")
    await store.holds.open("account", "funds", "the balance is used up", probes_s=(900.0,))
    seen = await diagnosed(store, batch)
    held = [finding for finding in seen.findings if finding.cause in (Cause.NO_FUNDS, Cause.FAX_UNKNOWN)]
    assert [finding.cause for finding in held] == [Cause.NO_FUNDS, Cause.FAX_UNKNOWN]
    assert held[0].until_ms > held[0].since_ms
    assert held[1].commands == (f"bulkfax holds release --batch {batch} --category submit_unknown",)
    assert not any(finding.cause is Cause.NOT_PERMITTED for finding in seen.findings)


@pytest.mark.parametrize("expected", [True, False])
async def test_missing_callbacks_count_only_where_they_are_expected(store: Store, expected: bool) -> None:
    batch = await running(store, 10)
    await calls(store, 10)
    await end(store, batch, range(10), State.DELIVERED)
    causes = [finding.cause for finding in (await diagnosed(store, batch, callbacks=expected)).findings]
    assert (Cause.NO_CALLBACKS in causes) == expected


async def test_a_draft_whose_time_has_passed_is_told_from_one_that_waits_for_it(store: Store) -> None:
    """What is printed is not refused: a start without `--now` is, once the time has passed."""
    now_ms = await store.clock.ask()
    mailings = Mailings(store, fine, 1000, b"key")
    late, waiting = await draft(store, 1, start_at_ms=now_ms - 700_000), await draft(store, 1, name="April")
    shown = [(await diagnosed(store, batch)).findings for batch in (late, waiting)]
    commands = [next(item for item in findings if item.cause is Cause.NOT_STARTED).commands for findings in shown]
    assert commands == [(f"bulkfax batches start {late} --now",), (f"bulkfax batches start {waiting}",)]
    for batch, command in ((late, Command.START_NOW), (waiting, Command.START)):
        assert (await mailings.command(batch, command)).batch.state is BatchState.RUNNING
    scheduled = await draft(store, 1, name="May", start_at_ms=now_ms + 3_600_000)
    await mailings.command(scheduled, Command.START)
    (finding,) = [item for item in (await diagnosed(store, scheduled)).findings if item.cause is Cause.SCHEDULED]
    assert (finding.commands, finding.until_ms) == ((), now_ms + 3_600_000)


async def test_a_large_batch_is_looked_at_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_BLOCKS", 2)
    batch = await running(store, 4500)
    seen = await diagnosed(store, batch)
    assert seen.looked_at == 2000
    assert seen.findings[0].cause is Cause.NO_SCHEDULER
