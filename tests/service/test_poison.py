"""One bad item among many: it is set aside or fails by itself, and the others go on as if it were not there."""

import json
from collections.abc import Sequence

import pytest

from dispatcher.core.job import JobId, State
from dispatcher.core.outcome import Accepted, FaxStatus, FaxUpdate, SendOutcome
from dispatcher.service.doctor import Finding, examine
from dispatcher.service.inbox_consumer import InboxConsumer, encode
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from dispatcher.sinch.order import FaxOrder
from dispatcher.sinch.wire import ATTEMPT_LABEL, JOB_LABEL, AttemptLabels, fax_update
from dispatcher.store.inbox import Entry
from dispatcher.store.store import Store
from tests.service.system import FaultySystem

pytestmark = pytest.mark.anyio

ROWS = 20


def callback_fields(**fields: object) -> bytes:
    """An event as it lies in the inbox."""
    fax_update = FaxUpdate(fax_id="F9", status=FaxStatus.COMPLETED)
    event = json.loads(encode("a.9", 1, CallbackEvent(event=FAX_COMPLETED, update=fax_update)))
    return json.dumps({**event, **fields}).encode()


#: events that this version can do nothing with
POISON = {
    "no JSON": b"\xff\x00",
    "no object": b"[]",
    "no event": b"{}",
    "an unknown status": callback_fields(status="teleported"),
    "no job": callback_fields(job="a"),
    "an attempt in words": callback_fields(attempt="two"),
    "pages of no number": callback_fields(status="failure", pages_sent="many"),
    "a type of no text": callback_fields(status="failure", error_type=["CALL_ERROR"]),
}


async def checked(store: Store, *, fix: bool = False) -> Finding:
    findings = await examine(store, fix=fix, progress=lambda done, total: None)
    return next(finding for finding in findings if finding.check == "callbacks set aside")


async def test_a_callback_that_cannot_be_settled_keeps_no_other_back(system: FaultySystem) -> None:
    """It is counted, kept, and named by the doctor, who can have it tried again."""
    await system.db.running("a", ROWS)
    for _ in range(5):
        await system.begin_due()
        await system.finish()
        await system.db.pass_ms(500)
    ended_faxes = system.provider.end_calls(1.0)
    good = [encode(fax.job, fax.attempt, CallbackEvent(event=FAX_COMPLETED, update=fax)) for fax in ended_faxes]
    assert good
    inbox = system.store.inbox
    mixed = [raw for pair in zip(POISON.values(), good, strict=False) for raw in pair] + good[len(POISON) :]
    await inbox.add(mixed)
    assert await system.runtime.inbox_consumer.settle_events() == len(mixed)
    assert await inbox.depth() == 0
    ended = {call.job for call in system.provider.calls}
    records = await system.records()
    assert {f"a.{row}" for row, record in enumerate(records) if record.state is State.DELIVERED} == ended
    assert {entry.event for entry in await inbox.failed()} == set(POISON.values())
    assert (await system.store.metric_totals.all())["callbacks", "failed"] == len(POISON)
    finding = await checked(system.store)
    assert not finding.ok
    assert f"{len(POISON)} callbacks" in finding.text
    assert (await checked(system.store, fix=True)).fixed
    assert (await inbox.failed(), await inbox.depth()) == ([], len(POISON))
    await system.runtime.inbox_consumer.settle_events()
    assert len(await inbox.failed()) == len(POISON)


class ProcessKilled(BaseException):
    """Nothing after it runs."""


@pytest.mark.parametrize("place", [0, 3, 6])
async def test_a_callback_that_ends_every_process_that_takes_it_is_set_aside_alone(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    await system.db.running("a", ROWS)
    await system.begin_due()
    await system.finish()
    good = [
        encode(fax.job, fax.attempt, CallbackEvent(event=FAX_COMPLETED, update=fax))
        for fax in system.provider.end_calls(1.0)[:6]
    ]
    killer = callback_fields(fax_id="killer")
    await system.store.inbox.add([*good[:place], killer, *good[place:]])
    settle_all = InboxConsumer._settle_all

    async def killed(consumer: InboxConsumer, entries: Sequence[Entry]) -> None:
        if killer in [raw for _, raw in entries]:
            raise ProcessKilled
        await settle_all(consumer, entries)

    monkeypatch.setattr(InboxConsumer, "_settle_all", killed)
    deaths = 0
    while await system.store.inbox.depth():
        try:
            await system.runtime.inbox_consumer.settle_events()
        except ProcessKilled:
            deaths += 1
    assert deaths == 100
    assert [entry.event for entry in await system.store.inbox.failed()] == [killer]
    delivered = [record for record in await system.records() if record.state is State.DELIVERED]
    assert len(delivered) == len(good)


def test_no_event_takes_more_than_16_kb() -> None:
    """Whatever the provider says, with twelve bytes for each character that JSON escapes."""
    rare = "\U0001d400" * 5_000
    fields = dict.fromkeys(("to", "errorType", "errorMessage", "createTime", "completedTime"), rare)
    numbers = dict.fromkeys(("errorCode", "numberOfPages", "pagesSentSuccessfully"), 10**300)
    update = fax_update(
        {"id": "\U0001d400" * 50, **fields, **numbers, "labels": {JOB_LABEL: rare, ATTEMPT_LABEL: rare}}
    )
    event = encode("b" * 100, 2**32, CallbackEvent(event=FAX_COMPLETED, update=update))
    assert 8_000 < len(event) < 16_384


async def test_what_is_set_aside_does_not_grow_for_ever(system: FaultySystem) -> None:
    await system.store.inbox.add([b"%d" % index for index in range(1_050)])
    await system.runtime.inbox_consumer.settle_events()
    failed = await system.store.inbox.failed()
    assert len(failed) == 1_000
    assert failed[-1].event == b"50"


async def test_text_that_an_older_version_stored_is_cleaned_when_it_is_taken(system: FaultySystem) -> None:
    await system.db.running("a", 1)
    await system.begin_due()
    await system.finish()
    (call,) = system.provider.calls
    await system.store.inbox.add(
        [
            callback_fields(
                job="a.0", fax_id=call.id, to=call.to, labels="right", status="failure", error_type="NEW\ud83d\n"
            )
        ]
    )
    await system.runtime.inbox_consumer.settle_events()
    (stored,) = await system.store.dispatch.stored([JobId("a", 0)])
    assert stored
    assert [entry.failure.error_type for entry in stored.history] == ["NEW\ufffd "]


async def test_an_answer_that_cannot_be_stored_is_the_trouble_of_its_own_job(system: FaultySystem) -> None:
    """The door lets none through. Were there one, its job is looked for, and no other that shares its call."""
    await system.db.running("a", ROWS)
    provider = system.provider

    def answer(order: FaxOrder) -> SendOutcome | None:
        labels = AttemptLabels.read(order.labels)
        if labels.job != "a.7" or labels.attempt > 1:
            return None
        return Accepted(update=FaxUpdate(fax_id="F\ud83d", status=FaxStatus.UNFINISHED, job=labels.job, attempt=1))

    provider.refusal = answer
    await system.assert_all_delivered_once()
    assert provider.sends == ROWS + 1
