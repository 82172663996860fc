"""The provider's ledger against our records: lost, doubled, wrong states."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.local.ledger import LedgerFax, OurJob, ProviderOutcome, compare, fax_from, is_doubled, is_lost, is_wrong

NUMBER = "+12025550101"
STATES = (
    "waiting",
    "leased",
    "sending",
    "accepted",
    "delivered",
    "delivered_unconfirmed",
    "failed",
    "cancelled",
    "expired",
)
FINAL = STATES[4:]


def fax(fate: str, accepted: int = 0, ended: int | None = None, *, job: str = "b.0", to: str = NUMBER) -> LedgerFax:
    kind = ProviderOutcome(fate)
    if ended is None and kind is not ProviderOutcome.UNFINISHED:
        ended = accepted + 10
    return LedgerFax(id=f"{job}@{accepted}", to=to, job=job, outcome=kind, accepted_ms=accepted, ended_ms=ended)


def job(state: str) -> OurJob:
    return OurJob(id="b.0", number=NUMBER, state=state)


@pytest.mark.parametrize(
    ("state", "fates", "lost"),
    [
        ("delivered", ["delivered"], False),
        ("delivered", ["failed", "delivered"], False),
        ("delivered", [], True),
        ("delivered", ["failed"], True),
        ("delivered", ["unconfirmed"], True),
        ("delivered_unconfirmed", [], False),
        ("failed", [], False),
        ("cancelled", [], False),
        ("waiting", ["delivered"], True),
        ("accepted", ["unfinished"], True),
        ("sending", [], True),
    ],
)
def test_lost_is_not_final_or_delivered_without_a_delivered_fax(state: str, fates: list[str], lost: bool) -> None:
    assert is_lost(job(state), [fax(fate, 20 * i) for i, fate in enumerate(fates)]) is lost


@pytest.mark.parametrize(
    ("sent", "doubled"),
    [
        ([], False),
        ([fax("delivered")], False),
        ([fax("failed", 0, 10), fax("delivered", 20)], False),
        ([fax("failed", 0, 10), fax("delivered", 10)], False),
        ([fax("failed", 0, 10), fax("delivered", 9)], True),
        ([fax("unfinished", 0), fax("delivered", 50)], True),
        ([fax("delivered", 0, 10), fax("delivered", 20)], True),
        ([fax("unconfirmed", 0, 10), fax("failed", 20)], True),
        ([fax("partial", 0, 10), fax("delivered", 20)], False),
        ([fax("delivered", 0, 10), fax("failed", 20), fax("failed", 40)], True),
        ([fax("failed", 0, 100), fax("failed", 20, 30), fax("failed", 40)], True),
    ],
)
def test_doubled_is_a_fax_accepted_while_an_earlier_one_stands(sent: list[LedgerFax], doubled: bool) -> None:
    assert is_doubled(sent) is doubled


@pytest.mark.parametrize(
    ("fates", "agreeing"),
    [
        ([], {"failed", "cancelled", "expired"}),
        (["failed", "failed"], {"failed", "cancelled", "expired"}),
        (["failed", "delivered"], {"delivered"}),
        (["unconfirmed"], {"delivered_unconfirmed"}),
        (["partial"], {"delivered_unconfirmed", "failed", "cancelled", "expired"}),
        (["failed", "unfinished"], set()),
        (["unconfirmed", "delivered"], {"delivered"}),
    ],
)
def test_a_final_state_agrees_with_the_providers_outcome_or_is_wrong(fates: list[str], agreeing: set[str]) -> None:
    sent = [fax(fate, 20 * i) for i, fate in enumerate(fates)]
    assert {state for state in FINAL if not is_wrong(job(state), sent)} == agreeing


def test_a_job_that_is_not_final_is_lost_but_not_wrong() -> None:
    assert not is_wrong(job("accepted"), [fax("delivered")])


def test_a_fax_to_another_number_under_our_label_is_a_stray_and_does_not_deliver_the_job() -> None:
    comparison = compare([job("delivered")], [fax("delivered", to="+12025550199")])
    assert comparison.lost == ("b.0",)
    assert comparison.strays == ("b.0@0",)
    assert comparison.faxes == 0
    assert not comparison.clean


def test_a_clean_batch_has_its_faxes_counted_and_the_deliveries_of_retries() -> None:
    comparison = compare([job("delivered")], [fax("delivered", 20), fax("failed", 0)])
    assert (comparison.clean, comparison.faxes, comparison.retried_to_delivery) == (True, 2, 1)


@pytest.mark.parametrize(
    ("status", "pages", "sent", "fate"),
    [
        ("QUEUED", 0, 0, ProviderOutcome.UNFINISHED),
        ("IN_PROGRESS", 2, 1, ProviderOutcome.UNFINISHED),
        ("COMPLETED", 2, 2, ProviderOutcome.DELIVERED),
        ("FAILURE", 2, 0, ProviderOutcome.FAILED),
        ("FAILURE", 0, 0, ProviderOutcome.FAILED),
        ("FAILURE", 2, 1, ProviderOutcome.PARTIAL),
        ("FAILURE", 2, 2, ProviderOutcome.UNCONFIRMED),
    ],
)
def test_a_line_of_the_ledger_is_read(status: str, pages: int, sent: int, fate: ProviderOutcome) -> None:
    line = {
        "id": "01F",
        "to": NUMBER,
        "labels": {"bulkfax-job": "b.0", "bulkfax-attempt": "1"},
        "createTime": 5,
        "status": status,
        "pages": pages,
        "pagesSent": sent,
        "finalTime": 9 if fate is not ProviderOutcome.UNFINISHED else None,
    }
    read = fax_from(line)
    assert (read.job, read.outcome, read.accepted_ms) == ("b.0", fate, 5)


def test_a_line_without_our_label_belongs_to_no_job() -> None:
    line = {"id": "x", "to": NUMBER, "labels": {}, "createTime": 1, "status": "QUEUED", "pages": 0, "pagesSent": 0}
    assert compare([job("failed")], [fax_from({**line, "finalTime": None})]).strays == ("x",)


fates = st.sampled_from(list(ProviderOutcome))
faxes = st.lists(
    st.builds(
        lambda outcome, start, took: fax(outcome, start, start + took), fates, st.integers(0, 50), st.integers(0, 30)
    ),
    max_size=5,
)


@given(sent=faxes, state=st.sampled_from(STATES))
def test_the_order_of_the_ledger_changes_nothing(sent: list[LedgerFax], state: str) -> None:
    sent = [
        LedgerFax(id=str(i), to=f.to, job=f.job, outcome=f.outcome, accepted_ms=f.accepted_ms, ended_ms=f.ended_ms)
        for i, f in enumerate(sent)
    ]
    comparisons = {compare([job(state)], order) for order in list(permutations(sent))[:24]}
    assert len(comparisons) == 1


@given(sent=faxes, state=st.sampled_from(STATES))
def test_every_fax_is_counted_once_and_a_job_that_agrees_is_in_no_list(sent: list[LedgerFax], state: str) -> None:
    comparison = compare([job(state)], sent)
    assert comparison.faxes + len(comparison.strays) == len(sent)
    if state == "delivered":
        assert bool(comparison.lost) is not any(f.outcome is ProviderOutcome.DELIVERED for f in sent)
    if len(sent) < 2:
        assert not comparison.doubled


@given(sent=faxes)
def test_faxes_one_after_the_other_that_all_failed_are_never_doubled(sent: list[LedgerFax]) -> None:
    one_by_one = [fax("failed", 100 * i, 100 * i + 50) for i, _ in enumerate(sent)]
    assert not is_doubled(one_by_one)


@given(sent=faxes, start=st.integers(0, 100))
def test_a_fax_after_a_delivered_one_is_always_doubled(sent: list[LedgerFax], start: int) -> None:
    later = [fax("delivered", start, start + 1), fax("failed", start + 2)]
    assert compare([job("delivered")], [*sent, *later]).doubled == ("b.0",)
