"""Formats batches, jobs, counts, holds and refused lines as tables and short texts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from rich import box
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from dispatcher.cli.output import styled
from dispatcher.client import (
    Account,
    Batch,
    Document,
    Forecast,
    HistoryEntry,
    Job,
    JobStory,
    Limit,
    Price,
    RefusedRow,
    Rerun,
    RerunPreview,
    Rollback,
    Suppression,
    UnknownFax,
    Upload,
    Wait,
)
from dispatcher.core.counted import counted, percent
from dispatcher.core.durations import duration_text
from dispatcher.core.limits.limited_by import SENTENCES

#: countries of a forecast that are shown; the others are counted
_COUNTRIES_SHOWN = 8
#: the order in which states are shown, with their colours
STATES: Mapping[str, str] = {
    "waiting": "",
    "leased": "",
    "sending": "cyan",
    "accepted": "cyan",
    "delivered": "green",
    "delivered_unconfirmed": "yellow",
    "failed": "red",
    "cancelled": "bright_black",
    "expired": "bright_black",
}


def table(*columns: str, title: str = "", numbers: Iterable[str] = (), prose: Iterable[str] = ()) -> Table:
    """Return an empty table. Columns in ``numbers`` are aligned to the right; only those in ``prose`` are folded."""
    grid = Table(box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    if title:
        grid.title = shown = styled(title, no_wrap=True)
        grid.min_width = len(shown)
    right, folded = set(numbers), set(prose)
    for column in columns:
        justify: JustifyMethod = "right" if column in right else "left"
        grid.add_column(column, justify=justify, overflow="fold", no_wrap=column not in folded)
    return grid


def when(time: datetime | None) -> str:
    """Format a time as local time, without its offset."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else ""


def seconds_since(time: datetime) -> float:
    """Return the seconds that have passed since a time; negative if it lies in the future."""
    return (datetime.now(UTC) - time).total_seconds()


def age(time: datetime | None) -> str:
    """Format a time relative to now, such as ``5 m ago`` or ``in 5 m``."""
    if time is None:
        return ""
    seconds = round(seconds_since(time))
    return f"{duration_text(seconds)} ago" if seconds >= 0 else f"in {duration_text(-seconds)}"


def batches_table(batches: Iterable[Batch]) -> Table:
    """Return a table of batches that shows whole ids in a terminal of 80 columns."""
    columns = ("id", "name", "state", "jobs", "delivered", "failed", "age")
    grid = table(*columns, numbers=["jobs", "delivered", "failed", "age"], prose=["name"])
    grid.padding = (0, 1, 0, 0)  # the name needs the room
    for batch in batches:
        failed = batch.counts.get("failed", 0)
        age = duration_text(round(seconds_since(batch.created_at)), units=1) if batch.created_at else ""
        grid.add_row(
            batch.id,
            batch.name,
            "expired draft" if batch.expired_because == "not_started" else batch.state,
            f"{batch.rows:,}",
            f"{batch.arrived:,}",
            styled(f"{failed:,}", "red" if failed else ""),
            age,
        )
    return grid


_EXPIRED_BECAUSE = {
    "deadline": "the deadline passed",
    "not_started": "nobody started the draft (times.draft_life in the policy)",
}


def batch_facts(batch: Batch) -> Table:
    """Return the facts about one batch, without its counts."""
    facts = {
        "batch": batch.id,
        "name": batch.name,
        "state": batch.state,
        "limited by": limited_by_text(batch.limited_by),
        "progress": _progress(batch),
        "ends": _end(batch),
        "waiting": "\n".join(map(wait_text, batch.waits or ())),
        "withheld": f"{counted(batch.withheld, 'job')} wait for: bulkfax batches continue {batch.id}"
        if batch.withheld
        else "",
        "rerun of": ", ".join(batch.parents or filter(None, [batch.parent])),
        "reason": batch.reason or "",
        "reruns": "\n".join(batch.reruns),
        "deleted": "\n".join(batch.deleted),
        "priority": f"{batch.priority}, weight {batch.weight}"
        + (f", at most {batch.max_per_second:g}/s" if batch.max_per_second else ""),
        "created": when(batch.created_at),
        "starts": when(batch.start_at),
        "started": when(batch.started_at),
        "finished": when(batch.finished_at),
        "expired because": _EXPIRED_BECAUSE.get(batch.expired_because or "", ""),
        "deadline": when(batch.deadline),
        "documents": ", ".join([*batch.content_urls, *(f"{sha[:12]}…" for sha in batch.documents)]),
        "options": ", ".join(f"{name} {value}" for name, value in batch.options.items()),
        "version": f"{batch.version}, changed since it was created" if batch.version > 1 else "",
        "lines": _lines(batch),
        "attempts": f"{batch.attempts:,}" + (f", doubled {batch.doubled:,}" if batch.doubled else ""),
        "pages": f"{batch.pages_sent:,} arrived" if batch.pages_sent else "",
        "cost": f"{cost_text(batch.cost)} so far" if batch.cost and not batch.ended else cost_text(batch.cost),
        "held jobs": ", ".join(f"{jobs:,} {category}" for category, jobs in batch.held_jobs.items()),
        "metadata": "\n".join(f"{key}={value}" for key, value in batch.metadata.items()),
    }
    return pairs(facts)


def progress_facts(batch: Batch) -> Table:
    """Return what changes while a batch runs, apart from its counts."""
    facts = {
        "limited by": limited_by_text(batch.limited_by),
        "lately": f"{batch.rate_now:g} jobs/s" if batch.rate_now else "",
        "ends": _end(batch),
        "waiting": "\n".join(map(wait_text, batch.waits or ())),
        "pages": f"{batch.pages_sent:,} arrived" if batch.pages_sent else "",
        "cost": f"{cost_text(batch.cost)} so far" if batch.cost else "",
    }
    return pairs(facts)


def cost_text(cost: Mapping[str, str]) -> str:
    """Return amounts with their currencies: ``1,234.50 USD + 3.00 EUR``."""
    return " + ".join(f"{_grouped(amount)} {currency}" for currency, amount in cost.items())


def _grouped(amount: str) -> str:
    whole, dot, part = amount.partition(".")
    return f"{int(whole):,}{dot}{part}" if whole.isascii() and whole.isdecimal() else amount


def _progress(batch: Batch) -> str:
    if batch.progress is None or batch.state == "draft":
        return ""
    rate = f", {batch.rate_now:g} jobs/s lately" if batch.rate_now and not batch.ended else ""
    return f"{batch.final:,} of {counted(batch.rows, 'job')} ended ({percent(batch.progress)}){rate}"


_END_RESTS_ON = {
    "rate": "at this rate",
    "retries": "when the last retry is made; later if one fails again",
    "deadline": "at its deadline",
}


def _end(batch: Batch) -> str:
    if batch.eta is None:
        return ""
    basis = _END_RESTS_ON.get(batch.eta_basis or "")
    return f"about {when(batch.eta)} ({age(batch.eta)})" + (f", {basis}" if basis else "")


def wait_text(wait: Wait) -> str:
    """Return what some jobs wait for: ``18 busy, next try in 12 m, last at 04:10``."""
    held = f", {wait.held:,} of them until released" if wait.held else ""
    if wait.next_at is None:
        return f"{wait.jobs:,} {wait.category}{held}"
    soon = seconds_since(wait.next_at) > -1
    first = "now" if soon else f"in {duration_text(round(-seconds_since(wait.next_at)), units=1)}"
    last = f", last at {_clock(wait.last_at)}" if wait.last_at and wait.last_at > wait.next_at else ""
    return f"{wait.jobs:,} {wait.category}{held}, next try {first}{last}"


def _clock(time: datetime) -> str:
    """Return a time of today without its date, any other with it. Local time."""
    local = time.astimezone()
    return local.strftime("%H:%M" if local.date() == datetime.now().astimezone().date() else "%Y-%m-%d %H:%M")


def document_facts(document: Document) -> Table:
    """Return the facts about a document."""
    return pairs(
        {
            "document": document.id,
            "name": document.name,
            "pages": f"{document.pages:,}",
            "bytes": f"{document.size:,}",
            "warnings": "\n".join(warning.sentence for warning in document.warnings),
        }
    )


def _lines(batch: Batch) -> str:
    return ", ".join(filter(None, (f"{batch.lines:,}: {counted(batch.rows, 'job')}", not_sent(batch))))


def not_sent(counts: Batch | Forecast | Upload) -> str:
    """Return how many lines became no job, and why: ``1 refused, 2 duplicates``."""
    lines = {"refused": counts.refused, "opted out": counts.opted_out, "suppressed": counts.suppressed}
    parts = [f"{count:,} {what}" for what, count in lines.items() if count]
    return ", ".join([*parts, counted(counts.duplicates, "duplicate")] if counts.duplicates else parts)


def forecast_facts(forecast: Forecast) -> Table:
    """Return what a batch will send, and when it will have sent it."""
    facts = {
        "recipients": _by_country(forecast),
        "not sent to": not_sent(forecast),
        "pages": _pages(forecast),
        "sending": _sending(forecast),
        "price": _price(forecast.price),
        "not checked": ", ".join(forecast.unchecked_urls),
        "starts": when(forecast.starts_at),
        "last fax": _last_fax(forecast),
        "limited by": limited_by_text(forecast.limited_by),
        "warnings": "\n".join(warning.sentence for warning in forecast.warnings),
        "a repeat": forecast.repeats.sentence if forecast.repeats else "",
        "start needs": ", ".join(f"--{name.replace('_', '-')}" for name in forecast.start_needs),
    }
    return pairs(facts)


def rerun_facts(preview: RerunPreview) -> Table:
    """Return what a rerun would send. Several batches have their figures one below the other."""
    facts = dict[str, str]()
    for position, rerun in enumerate(preview.new_batches, start=1):
        number = f"{position}. " if len(preview.new_batches) > 1 else ""
        facts |= {f"{number}{name}": value for name, value in _rerun_facts(rerun).items()}
    return pairs(facts)


def _rerun_facts(rerun: Rerun) -> dict[str, str]:
    about = "about " if rerun.estimated else ""
    speed = f"{counted(rerun.rate, 'fax', 'faxes')} a second"
    return {
        "rerun of": ", ".join(rerun.batches),
        "would send": f"{about}{_countries(rerun.jobs, rerun.countries)}",
        "left out": ", ".join(f"{jobs:,} {reason}" for reason, jobs in rerun.left_out.items()),
        "pages": "not known" if rerun.pages_total is None else f"{rerun.pages} each, {rerun.pages_total:,} in all",
        "sending": ""
        if rerun.sending_minutes is None
        else f"at least {duration_text(rerun.sending_minutes * 60)} in all",
        "price": _price(rerun.price),
        "starts": when(rerun.starts_at),
        "last fax": f"{when(rerun.finishes_at)} at {speed}" if rerun.finishes_at else "",
        "limited by": limited_by_text(rerun.limited_by),
        "repeats": rerun.repeats.sentence if rerun.repeats else "",
    }


def _sending(forecast: Forecast) -> str:
    if forecast.sending_s is None or forecast.sending_minutes is None:
        return ""
    in_all = duration_text(forecast.sending_s * forecast.recipients)
    return f"at least {duration_text(round(forecast.sending_s))} each, {in_all} in all"


def _by_country(forecast: Forecast) -> str:
    return _countries(forecast.recipients, forecast.countries)


def _countries(recipients: int, by_country: Mapping[str, int]) -> str:
    countries = [f"{country or 'unknown'} {jobs:,}" for country, jobs in by_country.items()]
    others = len(countries) - _COUNTRIES_SHOWN
    more = [counted(others, "other country", "other countries")] if others > 0 else []
    shown = ", ".join([*countries[:_COUNTRIES_SHOWN], *more])
    return f"{recipients:,}" + (f": {shown}" if shown else "")


def _pages(forecast: Forecast) -> str:
    if forecast.pages is None or forecast.pages_total is None:
        return "not known"
    return f"{forecast.pages:,} each, {forecast.pages_total:,} in all"


def _price(price: Price | None) -> str:
    if price is None:
        return ""
    about = "about " if price.estimated else ""
    without = f", without {counted(price.unpriced, 'recipient')} of unknown price" if price.unpriced else ""
    return f"{about}{price.amount} {price.currency or ''}".rstrip() + without


def _last_fax(forecast: Forecast) -> str:
    if forecast.finishes_at is None:
        return "nobody can say"
    others = f", with {forecast.other_jobs:,} of other batches meanwhile" if forecast.other_jobs else ""
    return (
        f"{when(forecast.finishes_at)} at {counted(forecast.rate, 'fax', 'faxes')} a second{others}; retries come later"
    )


def pairs(facts: Mapping[str, str | None]) -> Table:
    """Return a table of names and values, without empty values."""
    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        if value:
            grid.add_row(name, value)
    return grid


def counts_table(batch: Batch, title: str = "") -> Table:
    """Return a table of jobs by state, and by category within a state, largest first."""
    grid = table("state", "category", "jobs", "share", title=title, numbers=("jobs", "share"))
    for state, style in STATES.items():
        jobs = batch.counts.get(state, 0)  # type: ignore[call-overload]  # STATES holds the same names
        if jobs:
            grid.add_row(styled(state, style), "", f"{jobs:,}", percent(jobs / batch.rows, 1) if batch.rows else "")
            for category, count in _largest_first(batch.categories.get(state, {})):
                if category:
                    grid.add_row("", category, styled(f"{count:,}", "dim"), "")
    grid.add_section()
    grid.add_row("all jobs", "", f"{batch.rows:,}", "")
    return grid


def reasons_table(batch: Batch, title: str = "") -> Table:
    """Return a table of the refused lines, by reason."""
    grid = table("refused because", "lines", title=title, numbers=("lines",))
    for reason, lines in _largest_first(batch.refused_reasons):
        grid.add_row(reason, f"{lines:,}")
    for name in ("opted_out", "suppressed", "duplicates"):
        if rows := getattr(batch, name):
            grid.add_row(name.removesuffix("s"), f"{rows:,}")
    return grid


def refused_table(rows: Sequence[RefusedRow], title: str = "") -> Table:
    grid = table(
        "line", "number", "reason", "what to do", title=title, numbers=["line"], prose=["number", "what to do"]
    )
    for row in rows:
        grid.add_row(str(row.line), row.number, row.reason, row.detail)
    return grid


def suppressions_table(entries: Iterable[Suppression]) -> Table:
    grid = table("number", "source", "reason", "proved by", "expires", prose=["reason"])
    for entry in entries:
        expires = age(entry.expires_at) if entry.active else "expired"
        grid.add_row(entry.number, entry.source, entry.reason, entry.job or "", expires or "never")
    return grid


def jobs_table(jobs: Iterable[Job], title: str) -> Table:
    """Return a table of jobs by row; the id of a job is ``<batch>.<row>``."""
    columns = ("row", "number", "reference", "state", "category", "attempt", "next")
    grid = table(*columns, title=title, numbers=["row", "attempt"], prose=["reference", "state", "category", "next"])
    for job in jobs:
        state = styled(job.state, STATES.get(job.state, ""))
        grid.add_row(str(job.row), job.number, job.reference, state, job.category, str(job.attempt), age(job.next_at))
    return grid


def lookup_table(jobs: Iterable[Job], title: str) -> Table:
    """Return a table of jobs of several batches, newest first."""
    columns = ("job", "number", "reference", "state", "category", "attempt", "changed")
    grid = table(*columns, title=title, numbers=["attempt"], prose=["reference", "state", "category", "changed"])
    for job in jobs:
        state = styled(job.state, STATES.get(job.state, ""))
        changed = when(job.changed_at) if job.changed_at else ""
        grid.add_row(job.id, job.number, job.reference, state, job.category, str(job.attempt), changed)
    return grid


def job_facts(job: Job) -> Table:
    error = f"{job.error_type} {job.error_code}" if job.error_type else ""
    facts = {
        "job": job.id,
        "number": job.number,
        "reference": job.reference,
        "state": job.state,
        "category": job.category,
        "error": error,
        "pages": f"{job.pages_sent} of {job.pages_total} arrived" if job.pages_total else "",
        "cost": cost_text(job.cost)
        if isinstance(job, JobStory) and job.cost
        else cost_text({job.price.currency: job.price.amount} if job.price else {}),
        "last attempt": f"no. {job.attempt}{_failed_calls(job)}" if job.attempt else "",
        "fax": job.fax_id,
        "changed": f"{when(job.changed_at)}  ({age(job.changed_at)})" if job.changed_at else "",
        "next check": f"{when(job.next_at)}  ({age(job.next_at)})" if job.next_at else "",
        "doubled": "yes: the provider accepted a second fax before the first had ended" if job.doubled else "",
        "sent by": _sent_by(job),
        "": job.explanation if isinstance(job, JobStory) else "",
    }
    return pairs(facts)


def _failed_calls(job: Job) -> str:
    """Return how the calls before failed: those of the delivered fax are not among them."""
    calls = [f"{job.dials} that nobody answered"] * bool(job.dials) + [f"{job.tries} answered"] * bool(job.tries)
    return f" (failed calls: {', '.join(calls)})" if calls else ""


def _sent_by(job: Job) -> str:
    version = (job.version or 1) if isinstance(job, JobStory) else 1
    return f"version {version} of the batch" if version > 1 else ""


def history_lines(history: Iterable[HistoryEntry]) -> Text:
    """Return the outcomes of a job's attempts, each with the decision on a line of its own: it is a sentence or two."""
    shown = styled("")
    for entry in history:
        attempt = f"{entry.attempt}, version {entry.version}" if entry.version > 1 else str(entry.attempt)
        error = f"{entry.error_type} {entry.error_code}" if entry.error_type else ""
        pages = f"{entry.pages_sent} of {counted(entry.pages_total, 'page')} arrived" if entry.pages_total else ""
        parts = filter(None, (when(entry.at), entry.outcome, entry.category, error, pages))
        shown.append_text(styled(f"\nno. {attempt}  {'  '.join(parts)}", "bold"))
        shown.append_text(styled(f"\n    {entry.why}" if entry.why else ""))
    return shown


def account_facts(account: Account) -> Table:
    facts = {
        "rate": rate_text(account),
        "used": percent(account.used_ratio) if account.used_ratio is not None else "",
        "limited by": limited_by_text(account.limited_by),
        "blocked until": _blocked(account),
        "in flight": _in_flight(account),
        "open drafts": _open_drafts(account),
    }
    return pairs(facts)


def limited_by_text(word: str | None) -> str:
    """Return the word with its explanation; a word that only a newer server knows has none."""
    if not word:
        return ""
    sentence = next((text for known, text in SENTENCES.items() if known.value == word), "")
    return f"{word}: {sentence}" if sentence else word


def _in_flight(account: Account) -> str:
    if account.in_flight is None:
        return ""
    unclear = f", {account.unclear:,} of them unclear" if account.unclear else ""
    return f"{account.in_flight:,}{unclear}"


def _open_drafts(account: Account) -> str:
    if account.open_drafts is None:
        return ""
    limit = f" of at most {account.max_open_drafts:,}" if account.max_open_drafts is not None else ""
    return f"{account.open_drafts:,}{limit}"


_BLOCKED_BY = {
    "provider": "the provider asked for a pause (429)",
    "minute": "the limit of a minute is used up",
    "day": "the limit of a day is used up",
}


def _blocked(account: Account) -> str:
    if account.blocked_until is None:
        return ""
    why = _BLOCKED_BY.get(account.blocked_by or "", account.blocked_by)
    return f"{when(account.blocked_until)}: {why}" if why else when(account.blocked_until)


def rollback_facts(lost: Rollback) -> Table:
    """Return the facts about lost writes, and which steps are still missing."""
    not_yet = f"not before {when(lost.ready_at)}"
    facts = {
        "lost writes": lost.cause,
        "noticed": when(lost.noticed_at),
        "lost since": when(lost.since),
        "reconciled": when(lost.reconciled_at) or not_yet,
        "accepted": when(lost.accepted_at) or "not yet",
        "adopted": f"{counted(lost.adopted, 'fax', 'faxes')} missing in the records",
        "accepted twice": f"{counted(lost.accepted_twice, 'attempt')} for which the provider has two faxes",
        "unknown": f"{counted(lost.unknown, 'fax', 'faxes')} whose jobs do not exist",
    }
    return pairs(facts)


def unknown_faxes_table(faxes: Iterable[UnknownFax]) -> Table:
    grid = table("fax", "job", "attempt", "created", numbers=("attempt",))
    for fax in faxes:
        grid.add_row(fax.fax_id, fax.job, str(fax.attempt), when(fax.created_at))
    return grid


def limits_table(limits: Iterable[Limit]) -> Table:
    grid = table("per", "limit", "used", "from", numbers=("limit", "used"))
    for limit in limits:
        used = "" if limit.used is None else f"{limit.used:,}"
        grid.add_row(limit.per, f"{limit.limit:,.10g}", used, limit.source)
    return grid


def rate_text(account: Account) -> str:
    if account.rate_now is None or account.rate_per_second is None:
        return ""
    return f"{account.rate_now:g} of {counted(account.rate_per_second, 'fax', 'faxes')} a second"


def _largest_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
