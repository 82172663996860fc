"""What is wrong with a batch: one table of facts and findings."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.diagnosis import Cause, Facts, FailureFact, HoldFact, PrefixFact, UsedUp, diagnose
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.retry_table.rule import Category

NOW = 1_800_000_000_000
RUNNING = Facts(batch="b1", rows=1000, live=400, now_ms=NOW)
ENDED = replace(RUNNING, live=0)


def hold(scope: str, category: str, jobs: int = 0, probe_at_ms: int = 0) -> HoldFact:
    return HoldFact(
        scope=scope, category=category, cause="A cause.", since_ms=NOW - 60_000, probe_at_ms=probe_at_ms, jobs=jobs
    )


def failed(category: str, jobs: int) -> FailureFact:
    return FailureFact(category=category, jobs=jobs, since_ms=NOW - 60_000, examples=("b1.0", "b1.1", "b1.2"))


PREFIX = PrefixFact(prefix="+49302", calls=40, failed=30, other_calls=200, other_failed=10)

TABLE: dict[str, tuple[Facts, Cause, str, str]] = {
    "the account is held": (
        replace(RUNNING, holds=[hold("account", "not_permitted")]),
        Cause.NOT_PERMITTED,
        "The account is held (not_permitted): A cause.",
        "bulkfax holds release account",
    ),
    "no funds": (
        replace(RUNNING, holds=[hold("account", "funds", probe_at_ms=NOW + 900_000)]),
        Cause.NO_FUNDS,
        "The account is held (funds)",
        "bulkfax holds release account",
    ),
    "wrong sender": (
        replace(RUNNING, holds=[hold("batch:b1", "config")]),
        Cause.WRONG_SENDER,
        "The batch is held (config)",
        "bulkfax batches change b1 --sender YOUR-NUMBER",
    ),
    "wrong project": (
        replace(RUNNING, holds=[hold("account", "config")]),
        Cause.WRONG_SENDER,
        "The account is held (config)",
        "bulkfax holds release account",
    ),
    "a wrong option": (
        replace(RUNNING, holds=[hold("batch:b1", "invalid_request")]),
        Cause.WRONG_REQUEST,
        "The batch is held (invalid_request)",
        "bulkfax batches change b1 --OPTION VALUE",
    ),
    "a draft": (
        replace(RUNNING, limited_by=LimitedBy.NOT_STARTED),
        Cause.NOT_STARTED,
        "The batch is a draft",
        "bulkfax batches start b1",
    ),
    "a draft that is late": (
        replace(RUNNING, limited_by=LimitedBy.NOT_STARTED, missed_start_ms=NOW - 3_600_000),
        Cause.NOT_STARTED,
        "it was to start at 2027-01-15 07:00 UTC, and nobody has started it",
        "bulkfax batches start b1 --now",
    ),
    "bad document": (
        replace(RUNNING, holds=[hold("document:ab", "document_convert")]),
        Cause.BAD_DOCUMENT,
        "A document of the batch is held",
        "bulkfax batches change b1 --letter LETTER.pdf",
    ),
    "provider fails": (
        replace(RUNNING, holds=[hold("provider", "provider_unavailable", probe_at_ms=NOW + 5_000)]),
        Cause.PROVIDER_FAILS,
        "All sending to the provider is held",
        "bulkfax holds release provider",
    ),
    "a provider that knows no fax": (
        replace(RUNNING, holds=[hold("job:b1.3", "submit_unknown", jobs=62)]),
        Cause.FAX_UNKNOWN,
        "62 jobs of the batch are held (submit_unknown)",
        "bulkfax holds release --batch b1 --category submit_unknown",
    ),
    "one held job": (
        replace(RUNNING, holds=[hold("job:b1.3", "submit_unknown", jobs=1)]),
        Cause.FAX_UNKNOWN,
        "1 job of the batch is held",
        "bulkfax holds release job:b1.3",
    ),
    "dead numbers": (
        replace(RUNNING, holds=[hold("batch:b1", "bad_numbers")]),
        Cause.DEAD_NUMBERS,
        "The batch is held (bad_numbers)",
        "bulkfax batches cancel b1",
    ),
    "the limit of a day": (
        replace(RUNNING, limited_by=LimitedBy.ALLOWANCE, used_up=UsedUp("d", 100.0)),
        Cause.ALLOWANCE,
        "of a minute or of a day is used up",
        "bulkfax account rate 200/d",
    ),
    "dead numbers at the end": (
        replace(ENDED, failures=[failed("bad_number", 400), failed("busy", 5)]),
        Cause.DEAD_NUMBERS,
        "400 jobs ended as bad_number (40.0% of the batch).",
        "bulkfax jobs list b1 --category bad_number",
    ),
    "busy": (
        replace(ENDED, failures=[failed("busy", 300)]),
        Cause.RECIPIENTS,
        "300 jobs ended as busy",
        "bulkfax batches rerun b1 --category busy --reason 'another try'",
    ),
    "one prefix": (
        replace(ENDED, prefixes=[PREFIX], failures=[failed("no_answer", 300)]),
        Cause.PREFIX_FAILS,
        "+49302 fail: 30 of 40",
        "bulkfax batches rerun b1 --prefix +49302 --reason 'route works again'",
    ),
    "no worker": (
        replace(RUNNING, stopped_by=LimitedBy.NO_WORKER),
        Cause.NO_WORKER,
        "No worker runs",
        "bulkfax worker",
    ),
    "no scheduler": (
        replace(RUNNING, stopped_by=LimitedBy.NO_SCHEDULER),
        Cause.NO_SCHEDULER,
        "No scheduler runs",
        "bulkfax scheduler",
    ),
    "no callbacks": (
        replace(RUNNING, expects_callbacks=True, calls_without_callback=9),
        Cause.NO_CALLBACKS,
        "although 9 calls ended",
        "bulkfax provider check",
    ),
    "paused": (
        replace(RUNNING, limited_by=LimitedBy.PAUSED),
        Cause.PAUSED,
        "The batch is paused.",
        "bulkfax batches resume b1",
    ),
    "retries only": (
        replace(
            RUNNING,
            limited_by=LimitedBy.WAITING_FOR_RETRY,
            retries={"no_answer": 2, "busy": 18},
            next_try_ms=NOW + 720_000,
            last_try_ms=NOW + 7_200_000,
        ),
        Cause.WAITING_FOR_RETRY,
        "18 busy, 2 no_answer; next try in 12 m, the last at 2027-01-15 10:00 UTC",
        "bulkfax jobs list b1 --state waiting",
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_cause_is_named_with_the_command_that_puts_it_right(name: str) -> None:
    facts, cause, sentence, command = TABLE[name]
    finding = diagnose(facts)[0]
    assert finding.cause is cause
    assert sentence in finding.sentence
    assert command in finding.commands
    assert finding.meaning


@pytest.mark.parametrize(
    "facts",
    [
        RUNNING,
        ENDED,
        replace(RUNNING, calls_without_callback=900),
        replace(ENDED, holds=[hold("account", "funds")], stopped_by=LimitedBy.NO_WORKER),
        replace(ENDED, failures=[failed("busy", 4)]),
        replace(ENDED, prefixes=[replace(PREFIX, other_failed=150), replace(PREFIX, calls=5, failed=5)]),
    ],
    ids=["it runs", "it ended", "no callbacks are expected", "holds concern others", "few failures", "no prefix"],
)
def test_where_nothing_is_wrong_that_is_said(facts: Facts) -> None:
    assert [finding.cause for finding in diagnose(facts)] == [Cause.NOTHING_WRONG]


def test_of_a_scheduled_batch_nothing_is_wrong_and_no_command_sends_it_before_its_time() -> None:
    start_ms = NOW + 3_600_000
    (finding,) = diagnose(replace(RUNNING, limited_by=LimitedBy.NOT_STARTED, start_at_ms=start_ms))
    assert (finding.cause, finding.commands, finding.until_ms) == (Cause.SCHEDULED, (), start_ms)
    assert finding.sentence == "Nothing is wrong: the batch is scheduled, and begins at 2027-01-15 09:00 UTC."
    assert "Only if it should begin before that: `bulkfax batches start b1 --now`." in finding.meaning


def test_what_stops_everything_comes_first_and_the_three_largest_failures_last() -> None:
    facts = replace(
        RUNNING,
        stopped_by=LimitedBy.NO_WORKER,
        holds=[hold("account", "funds"), hold("batch:b1", "config")],
        failures=[failed("busy", 100), failed("no_answer", 50), failed("congestion", 200), failed("training", 40)],
    )
    causes = [finding.cause for finding in diagnose(facts)]
    expected = [Cause.NO_WORKER, Cause.NO_FUNDS, Cause.WRONG_SENDER, Cause.PROVIDER_FAILS]
    assert causes == [*expected, Cause.RECIPIENTS, Cause.RECIPIENTS]


@given(
    category=st.sampled_from(list(Category)),
    scope=st.sampled_from(["account", "provider", "document:ab", "batch:b1", "country:US", "job:b1.3"]),
    live=st.integers(0, 1000),
)
def test_every_category_and_scope_has_a_meaning_and_complete_commands(
    category: Category, scope: str, live: int
) -> None:
    held = hold(scope, category, jobs=5 * scope.startswith("job"))
    facts = replace(RUNNING, live=live, holds=[held], failures=[failed(category, 9)])
    for finding in diagnose(facts):
        assert all((finding.sentence, finding.meaning, finding.commands))
        assert not any(mark in command for command in finding.commands for mark in "{}")
        assert 0 <= finding.share <= 1
