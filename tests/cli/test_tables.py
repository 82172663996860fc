"""Tables for people: what they hold, and that an id is whole where the terminal is narrow."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import RenderableType

from dispatcher.cli import tables
from dispatcher.cli.hold_lines import hold_lines
from dispatcher.cli.output import Printer, styled
from dispatcher.cli.status import status_picture
from dispatcher.cli.watch import progress_line
from dispatcher.client import Account, Batch, Forecast, HistoryEntry, Hold, Job, RefusedRow, Status, Wait
from dispatcher.core.durations import duration_text

ID = "01m7zqmrq4vz6x0n4ny0deca3c"
NOW = datetime.now(UTC)
BATCH = Batch.model_validate(
    {
        "id": ID,
        "name": "[March] letter",
        "state": "running",
        "rows": 100_000,
        "lines": 100_500,
        "refused": 400,
        "duplicates": 100,
        "counts": {"waiting": 49_000, "delivered": 50_000, "failed": 1_000},
        "categories": {"failed": {"busy": 300, "bad_number": 700}},
        "refused_reasons": {"extension": 300, "empty": 100},
        "created_at": NOW - timedelta(hours=2),
        "holds": [{"scope": "account", "cause": "no funds"}],
    }
)


def printed(what: RenderableType, width: int = 80) -> str:
    console = Printer(width=width)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_the_list_of_batches_keeps_ids_whole_in_80_columns() -> None:
    text = printed(tables.batches_table([BATCH]))
    assert ID in text
    assert "50,000" in text
    assert "1,000" in text


def test_a_table_in_a_pipe_has_no_padding() -> None:
    lines = printed(tables.counts_table(BATCH), 160).splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    assert printed(styled("a  b \n c  ")).splitlines() == ["a  b", " c"]


def test_a_delivered_job_names_only_calls_that_failed() -> None:
    job = Job(id=f"{ID}.7", state="delivered", attempt=1)
    assert "calls" not in printed(tables.job_facts(job))
    failed = job.model_copy(update={"dials": 2, "attempt": 3})
    assert "no. 3 (failed calls: 2 that nobody answered)" in printed(tables.job_facts(failed))


def test_a_status_shows_ids_whole_and_what_is_absent_in_80_columns() -> None:
    seen = Status(account=Account(in_flight=3), scheduler_alive=False, workers_alive=2, provider="ok", batches=(BATCH,))
    text = printed(status_picture(seen))
    assert "none runs (never seen): start it with `bulkfax scheduler`" in text
    assert "2 processes running" in text
    assert re.search(rf"{ID} +running +51 % +50,000/100,000 +1,000", text)


def test_names_are_printed_as_they_are() -> None:
    assert "[March] letter" in printed(tables.batches_table([BATCH]), 120)


def test_counts_show_states_in_order_and_categories_with_the_largest_first() -> None:
    text = printed(tables.counts_table(BATCH))
    assert text.index("waiting") < text.index("delivered") < text.index("failed")
    assert text.index("bad_number") < text.index("busy")
    assert "50.0 %" in text


def test_refused_lines_are_counted_by_reason_with_duplicates_among_them() -> None:
    text = printed(tables.reasons_table(BATCH, "400 refused"))
    assert all(word in text for word in ("extension", "300", "duplicate", "100", "400 refused"))


def test_facts_name_the_held_jobs_and_leave_out_what_is_empty() -> None:
    text = printed(tables.batch_facts(BATCH.model_copy(update={"held_jobs": {"submit_unknown": 17}})))
    assert "17 submit_unknown" in text
    assert "deadline" not in text


def test_a_job_shows_what_it_waits_for_and_its_numbers_whole() -> None:
    job = Job(
        id=f"{ID}.7", row=7, number="+12025550101", state="waiting", next_at=datetime.now(UTC) + timedelta(minutes=3.5)
    )
    assert "+12025550101" in printed(tables.jobs_table([job], "Jobs"))
    assert "in 3 m" in printed(tables.job_facts(job))


def test_a_history_shows_error_pages_and_decision() -> None:
    entry = HistoryEntry(attempt=1, at=NOW, outcome="failed", error_type="FAX_ERROR", error_code=8, pages_sent=1,
                         pages_total=2, why="next call in 5 m")  # fmt: skip
    text = printed(tables.history_lines([entry]))
    assert "no. 1  " in text
    assert "failed  FAX_ERROR 8  1 of 2 pages arrived\n    next call in 5 m" in text


def test_refused_lines_show_what_to_do() -> None:
    row = RefusedRow(line=4, number="[x]", reason="extension", detail="Give a direct number.")
    text = printed(tables.refused_table([row]))
    assert "[x]" in text
    assert "Give a direct number." in text


def test_a_hold_names_its_cause_its_end_and_the_command_that_ends_it_whole() -> None:
    document = f"document:{'5bf49f34' * 8}"
    holds = (
        Hold(scope="provider", category="provider_unavailable", cause="no answer", probe_at=NOW + timedelta(hours=2)),
        Hold(scope=document, category="document_convert", cause="a bad document"),
        Hold(scope=f"job:{ID}.7", category="submit_unknown", cause="gone", batch=ID, jobs=62),
    )
    provider, letter, jobs = (str(hold_lines([hold])) for hold in holds)
    assert "no answer" in provider
    assert "next probe in 1 h" in provider or "next probe in 2 h" in provider
    assert letter.splitlines()[0] == document
    assert f"\n    bulkfax holds release {document}" in letter
    assert "until released" in letter
    assert jobs.startswith(f"62 jobs of batch {ID}\n")
    assert f"--batch {ID} --category submit_unknown" in jobs
    assert document in printed(hold_lines(holds)).splitlines()


def test_an_account_shows_its_rate() -> None:
    account = Account(rate_per_second=10, rate_now=5, used_ratio=0.25, holds=(Hold(scope="account"),))
    text = printed(tables.account_facts(account))
    assert "5 of 10 faxes a second" in text
    assert "25 %" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (75, "1 m 15 s"), (3600, "1 h"), (3660, "1 h 1 m"), (90_061, "1 d 1 h")],
)
def test_durations_are_told_in_their_two_largest_units(seconds: int, text: str) -> None:
    assert duration_text(seconds) == text


def test_a_line_of_progress_has_rate_and_end() -> None:
    line = progress_line(BATCH.model_copy(update={"rate_now": 100.0, "eta": NOW}))
    assert f"51000 of 100000 done, 100 jobs/s, ends about {NOW.astimezone():%Y-%m-%d %H:%M:%S} (" in line


def test_a_line_of_progress_names_no_end_that_nobody_knows() -> None:
    assert "ends" not in progress_line(BATCH)


def test_what_waits_says_when_it_is_tried_again() -> None:
    soon = datetime.now(UTC) + timedelta(minutes=12.5)
    last = soon.replace(year=2099, month=1, day=2, hour=12, minute=10)
    waits = (Wait(category="busy", jobs=18, next_at=soon, last_at=last), Wait(category="config", jobs=2, held=2))
    text = printed(tables.batch_facts(BATCH.model_copy(update={"waits": waits})))
    assert "18 busy, next try in 12 m, last at 2099-01-02 " in text
    assert "2 config, 2 of them until released" in text
    due = Wait(category="busy", jobs=1, next_at=datetime.now(UTC) - timedelta(seconds=1))
    assert tables.wait_text(due) == "1 busy, next try now"


def test_facts_have_progress_end_pages_cost_and_metadata() -> None:
    fields = {
        "progress": 0.51, "rate_now": 12.5, "eta": NOW, "eta_basis": "retries", "pages_sent": 51_020,
        "cost": {"USD": "2295.90", "EUR": "0.045"}, "metadata": {"customer": "42"}, "state": "running",
    }  # fmt: skip
    text = " ".join(printed(tables.batch_facts(BATCH.model_copy(update=fields))).split())
    assert "51,000 of 100,000 jobs ended (51 %), 12.5 jobs/s lately" in text
    assert "when the last retry is made; later if one fails again" in text
    assert "51,020 arrived" in text
    assert "2,295.90 USD + 0.045 EUR so far" in text
    assert "customer=42" in text


@pytest.mark.parametrize(("share", "text"), [(0.0, "0 %"), (0.0001, "<1 %"), (0.9999, "99 %"), (1.0, "100 %")])
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, text: str) -> None:
    batch = BATCH.model_copy(update={"progress": share, "state": "running"})
    assert f"({text})" in printed(tables.batch_facts(batch))


def test_the_list_shows_what_has_arrived_and_not_what_has_ended() -> None:
    counts = {"cancelled": 43_000}
    cancelled = BATCH.model_copy(update={"state": "cancelled", "rows": 43_000, "counts": counts, "progress": 1.0})
    line = next(line for line in printed(tables.batches_table([cancelled])).splitlines() if ID in line)
    assert line.split()[-4:-2] == ["43,000", "0"] or line.split()[-5:-2] == ["43,000", "0", "0"]


@pytest.mark.parametrize(
    ("sending_s", "recipients", "text"),
    [(42.3, 1, "at least 42 s each, 42.3 s in all"), (90, 2, "at least 1 m 30 s each, 3 m in all")],
)
def test_a_forecast_shows_short_sending_times_in_seconds(sending_s: float, recipients: int, text: str) -> None:
    minutes = round(sending_s * recipients / 60, 1)
    forecast = Forecast(batch="b", recipients=recipients, sending_s=sending_s, sending_minutes=minutes, duplicates=1)
    shown = printed(tables.forecast_facts(forecast))
    assert text in shown
    assert "1 duplicate" in shown
    assert "1 duplicates" not in shown
