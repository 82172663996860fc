"""``send``: uploads letters and a list of recipients, and starts the batch."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

from dispatcher.cli import fax_options
from dispatcher.cli.command_key import create_or_find
from dispatcher.cli.hold_lines import hold_lines
from dispatcher.cli.list_options import ListColumns, columns_text, first_rows_table, with_list_columns
from dispatcher.cli.option_groups import with_options
from dispatcher.cli.output import (
    AllowRepeat,
    AllowWarnings,
    CommandFailed,
    JsonOption,
    confirm,
    note,
    notes,
    print_json,
    results,
)
from dispatcher.cli.part_options import PartOptions, with_part_options
from dispatcher.cli.progress import bytes_bar
from dispatcher.cli.tables import batch_facts, counts_table, forecast_facts, not_sent, refused_table, when
from dispatcher.cli.times import in_range, start_time, time_option
from dispatcher.cli.watch import watch_to_end
from dispatcher.client import (
    ApiError,
    BadInput,
    Batch,
    Client,
    ClientError,
    DryRunOptions,
    Forecast,
    Invalid,
    ListOptions,
    NewBatch,
    NotReachable,
    Unavailable,
    Upload,
    new_key,
    recipients_kind,
)
from dispatcher.client.contents import LIST_SUFFIXES, document_id
from dispatcher.core.counted import counted

#: the API takes no larger document
MAX_LETTER_BYTES = 20_000_000
#: maximum number of refused lines shown after a start; the report contains all of them
_REFUSED_SHOWN = 5

_Letters = Annotated[
    list[str] | None, typer.Argument(metavar="LETTER.pdf", help="PDFs of at most 20 MB, or URLs; sent as one fax.")
]
_Recipients = Annotated[
    Path, typer.Argument(metavar="RECIPIENTS.csv", help="CSV, NDJSON, JSON or a workbook, with a number column.")
]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before sending, on a terminal.")]
_CommandKey = Annotated[
    str,
    typer.Option(
        "--key",
        help="Idempotency key. By default it follows from letters, list and options: the same command within seven "
        "days continues or finds the first batch.",
    ),
]
_StartAt = Annotated[datetime | None, time_option("When to start. Local time unless it has an offset.")]
_OnPartial = Annotated[
    Literal["resume", "resend", "stop"] | None,
    typer.Option(help="What to do if a call ends after only some of the pages."),
]


class ShareOptions(NamedTuple):
    """What the mailing gets of the account's rate."""

    urgent: Annotated[bool, typer.Option("--urgent", help="Send before all batches that are not urgent.")] = False
    weight: Annotated[int, typer.Option(min=1, max=100, help="Share of the rate relative to other batches.")] = 1
    max_per_second: Annotated[
        float | None, typer.Option(min=0.001, max=10_000, help="Maximum sends of this mailing in a second.")
    ] = None

    def fields(self) -> dict[str, Any]:
        """Return the fields of the request."""
        priority = "urgent" if self.urgent else "bulk"
        return {"priority": priority, "weight": self.weight, "max_per_second": self.max_per_second}


class ProducerOptions(NamedTuple):
    """What the producer keeps with the mailing, and what it is told."""

    metadata: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE of your own, kept with the batch; may be repeated.")
    ] = None
    job_events: Annotated[
        bool, typer.Option("--job-events", help="Tell webhooks of the end of each job (`job.final`).")
    ] = False

    def fields(self) -> dict[str, Any]:
        """Return the fields of the request."""
        metadata = fax_options.named_values(self.metadata or [], "--metadata")
        return {"metadata": metadata, "job_events": self.job_events}


@with_list_columns
@with_part_options
@with_options("share", ShareOptions)
@with_options("producer", ProducerOptions)
def send(
    *,
    letters: _Letters = None,
    recipients: _Recipients,
    columns: ListColumns,
    part: PartOptions,
    name: Annotated[str, typer.Option(help="Name of the mailing. Default: the name of the list's file.")] = "",
    country: Annotated[str, typer.Option(help="Country of numbers in national format, as two letters.")] = "",
    watching: Annotated[bool, typer.Option("--watch", help="Show progress until the batch has ended.")] = False,
    draft: Annotated[bool, typer.Option("--draft", help="Prepare the batch but do not start it.")] = False,
    share: ShareOptions,
    producer: ProducerOptions,
    start_at: _StartAt = None,
    deadline: Annotated[datetime | None, time_option("When to give up jobs that are not delivered.")] = None,
    on_partial: _OnPartial = None,
    document_url: fax_options.DocumentUrl = None,
    sender: fax_options.Sender = "",
    service: fax_options.Service = "",
    header_text: fax_options.HeaderText = "",
    page_numbers: fax_options.PageNumbers = None,
    time_zone: fax_options.TimeZone = "",
    resolution: fax_options.Resolution = None,
    image_conversion: fax_options.ImageConversion = None,
    cover_page: fax_options.CoverPage = "",
    cover_field: fax_options.CoverField = None,
    allow_warnings: AllowWarnings = False,
    allow_repeat: AllowRepeat = False,
    yes: _Yes = False,
    key: _CommandKey = "",
    as_json: JsonOption = False,
) -> None:
    """Send letters to every recipient of a list."""
    if columns.dry_run:
        try_list(recipients, columns, country.upper(), as_json=as_json)
        return
    files, urls = _documents(letters or [], document_url or [])
    options = fax_options.fax_options(
        sender=sender,
        service=service,
        header_text=header_text,
        page_numbers=page_numbers,
        time_zone=time_zone,
        resolution=resolution,
        image_conversion=image_conversion,
        cover_page=cover_page,
        cover_field=cover_field,
    )
    new = NewBatch(
        name=name or recipients.stem,
        content_urls=urls,
        options=options,
        **producer.fields(),
        **share.fields(),
        default_country=country.upper() or None,
        on_partial=on_partial,
        start_at=start_time(start_at),
        deadline=in_range(deadline, "--deadline"),
    )
    how = _How(key=key or new_key() * allow_repeat, draft=draft, yes=yes, watching=watching, part=part)
    _show(*_send(new, files, recipients, columns, how, _allowed(allow_warnings, allow_repeat)), how, as_json=as_json)


def _allowed(warnings: bool, repeat: bool) -> dict[str, bool]:
    return {"allow_warnings": warnings, "allow_repeat": repeat}


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """How a command creates and starts its batch. Without a key it finds the batch of the same command before.

    Who allows a repeat wants another batch, and gets a new key.
    """

    key: str
    draft: bool
    yes: bool
    watching: bool
    part: PartOptions


def _send(
    new: NewBatch,
    letters: Sequence[Path],
    recipients: Path,
    columns: ListColumns,
    how: _How,
    allowed: Mapping[str, bool],
) -> tuple[Batch, Upload | None]:
    if columns.ignore_dead_numbers:
        new = new.model_copy(update={"ignore_dead_numbers": True})
    with Client.from_environment() as client:
        batch, upload = prepare(client, new, letters, recipients, how.key, columns)
        if upload is None:
            note(_sent_before(batch))
        else:
            batch = _start(client, batch, upload, how, allowed)
        if how.watching and not how.draft:
            batch = watch_to_end(client, batch.id)
    return batch, upload


def _sent_before(batch: Batch) -> str:
    started = f"started batch {batch.id} at {when(batch.started_at)}, which is {batch.state}"
    if batch.state == "scheduled":
        started = f"scheduled batch {batch.id}, which begins at {when(batch.start_at)}"
    return f"nothing was sent: the same command has {started}. To send it once more, add --allow-repeat"


def _start(client: Client, batch: Batch, upload: Upload, how: _How, allowed: Mapping[str, bool]) -> Batch:
    """Show what will be sent, ask on a terminal, and start the batch."""
    if batch.state == "draft":
        with _draft_ends_if_refused(client, batch, how.key, ApiError, CommandFailed, typer.Abort):
            notes.print(columns_text(upload.columns), soft_wrap=True, markup=False)
            forecast = client.forecast(batch.id)
            notes.print(forecast_facts(forecast))
            if not how.draft:
                _ensure_allowed(forecast, allowed)
                confirm("Send?", yes=how.yes or not sys.stdin.isatty())
                batch = client.start(batch.id, **allowed, **how.part.fields())
    note(f"batch {batch.id} is {batch.state}{_withheld(batch)}")
    if batch.holds:
        notes.print(hold_lines(batch.holds), soft_wrap=True)
    return batch


def _withheld(batch: Batch) -> str:
    """Say how many jobs wait for a command after a partial start."""
    jobs = counted(batch.withheld, "job")
    return f"; {jobs} wait for: bulkfax batches continue {batch.id}" if batch.withheld else ""


def _ensure_allowed(forecast: Forecast, allowed: Mapping[str, bool]) -> None:
    """Raise CommandFailed before anybody is asked, if the start would be refused without options that are missing."""
    missing = [f"--{name.replace('_', '-')}" for name in forecast.start_needs if not allowed.get(name)]
    if missing:
        raise CommandFailed(
            "the mailing would be refused as it is: look at what is said above, then repeat the command with "
            f"{' and '.join(missing)} if it is to be sent nevertheless"
        )


def prepare(
    client: Client,
    new: NewBatch,
    letters: Sequence[Path],
    recipients: Path,
    key: str,
    columns: ListColumns = ListColumns(),
) -> tuple[Batch, Upload | None]:
    """Upload the letters and recipients into a new draft. A repeat with the same key continues.

    Without a key, a repeat with the same content continues, and None instead of an upload says that its batch was
    started before. If the list is refused, or all its lines are, the draft is cancelled.
    """
    _ensure_list(recipients)

    def create(complete: NewBatch) -> tuple[Batch, str]:
        if key:
            return client.create_batch(complete, key=key), key
        return create_or_find(client, complete, recipients, _named(columns))

    try:
        # options are checked before letters are uploaded, and letters that are stored already are not
        batch, upload_key = create(new.model_copy(update={"documents": tuple(map(document_id, letters))}))
    except Invalid as error:
        _raise_what_no_upload_mends(error)
        batch, upload_key = create(_with_letters(client, new, letters))
    if not key and batch.state != "draft":
        return batch, None
    with _draft_ends_if_refused(client, batch, key, Invalid, BadInput, CommandFailed):
        with bytes_bar("recipients") as progress:
            options = ListOptions(**_named(columns))
            upload = client.upload_recipients(batch.id, recipients, options=options, progress=progress, key=upload_key)
        if not upload.accepted:
            notes.print(refused_table(upload.refused_sample, "Refused lines"))
            raise CommandFailed(
                f"none of the lines of {recipients} can be sent to: {not_sent(upload)}; nothing was started"
            )
    return client.batch(batch.id), upload


def try_list(recipients: Path, columns: ListColumns, country: str, *, as_json: bool) -> None:
    """Show the first rows of a list as they would be dialled. Nothing is stored."""
    _ensure_list(recipients)
    ignore = columns.ignore_dead_numbers
    options = DryRunOptions(default_country=country, ignore_dead_numbers=ignore, **_named(columns))
    with Client.from_environment() as client, bytes_bar("recipients") as progress:
        upload = client.try_recipients(recipients, options=options, progress=progress)
    if as_json:
        print_json(upload.model_dump(mode="json"))
        return
    results.print(columns_text(upload.columns), soft_wrap=True, markup=False)
    if upload.first_rows:
        results.print(first_rows_table(upload.first_rows))
    if upload.refused_sample:
        results.print(
            refused_table(upload.refused_sample, f"{_unsent(upload)}, the first {len(upload.refused_sample)}")
        )
    again = f", {counted(upload.duplicates, 'duplicate')}" if upload.duplicates else ""
    lines = counted(upload.lines, "line")
    results.print(f"{upload.accepted:,} of {lines} would be dialled{again}; nothing was stored")


def _unsent(upload: Upload) -> str:
    """Count the lines that the table of refused lines is about: those that opted out and suppressed ones, too."""
    lines = upload.refused + upload.opted_out + upload.suppressed
    return f"{counted(lines, 'line')} not sent to"


def _ensure_list(recipients: Path) -> None:
    if recipients.suffix.lower() == ".pdf":
        raise CommandFailed(f"{recipients} is a letter: the list of recipients comes last, behind all letters")
    if recipients.is_dir():
        raise CommandFailed(f"{recipients} is a folder: name the file with the list in it")
    if not recipients.is_file():
        raise CommandFailed(
            f"{recipients} does not exist: name a CSV, NDJSON, JSON or workbook file with a number column"
        )
    recipients_kind(recipients)


def _named(columns: ListColumns) -> dict[str, Any]:
    """Return the options that say something about the columns."""
    return {name: getattr(columns, name) for name in ListOptions.model_fields}


def _documents(letters: Sequence[str], urls: Sequence[str]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Separate files from URLs. Raises typer.BadParameter if there are none."""
    if not letters and not urls:
        raise typer.BadParameter("name a PDF before the list of recipients, or a --document-url")
    files = [letter for letter in letters if not letter.startswith(("http://", "https://"))]
    for file in map(Path, files):
        ensure_letter(file)
    return tuple(map(Path, files)), (*urls, *(letter for letter in letters if letter not in files))


def ensure_letter(path: Path) -> None:
    """Raise CommandFailed for a file that the API would refuse after its upload: a list, or one that is too large."""
    if path.suffix.lower() in LIST_SUFFIXES:
        raise CommandFailed(f"{path} is a list and no letter: letters come first, the list of recipients comes last")
    if path.is_dir():
        raise CommandFailed(f"{path} is a folder: name the PDF in it")
    if path.is_file() and path.stat().st_size > MAX_LETTER_BYTES:
        size = f"{path} has {path.stat().st_size:,} bytes"
        raise CommandFailed(
            f"{size}: a letter may have {MAX_LETTER_BYTES:,}; save it with smaller pictures, or split it"
        )


def _raise_what_no_upload_mends(error: Invalid) -> None:
    """Raise the error again, without documents that are not stored yet. Does nothing if these are all."""
    faults = error.problem.errors
    others = tuple(fault for fault in faults if not (fault.field or "").startswith("documents["))
    if len(others) == len(faults):
        raise error
    if others:
        detail = "; ".join(f"{fault.field}: {fault.message}" for fault in others)
        raise Invalid(error.problem.model_copy(update={"errors": others, "detail": detail})) from error


def _with_letters(client: Client, new: NewBatch, letters: Sequence[Path]) -> NewBatch:
    documents = []
    for letter in letters:
        with bytes_bar(letter.name) as progress:
            documents.append(client.upload_document(letter, progress=progress).id)
    return new.model_copy(update={"documents": tuple(documents)})


@contextmanager
def _draft_ends_if_refused(client: Client, batch: Batch, key: str, *refusals: type[Exception]) -> Iterator[None]:
    """Cancel the draft after a refusal. After a broken connection it stays, so that the command can be continued."""
    try:
        yield
    except (NotReachable, Unavailable, KeyboardInterrupt):
        with_key = f" with --key {key}" if key else ""
        note(
            f"batch {batch.id} keeps what was stored: repeat the command{with_key} to continue.\n"
            f"End it for good: bulkfax batches cancel {batch.id}"
        )
        raise
    except refusals:
        if batch.state == "draft":
            _discard(client, batch)
        raise


def _discard(client: Client, batch: Batch) -> None:
    """Cancel a draft that will not be sent, so that nothing incomplete remains."""
    try:
        client.cancel(batch.id)
    except ClientError as error:
        note(f"the draft {batch.id} could not be cancelled: {error}")
    else:
        note(f"the draft {batch.id} was cancelled; nothing was sent")


def _show(batch: Batch, upload: Upload | None, how: _How, *, as_json: bool) -> None:
    if as_json:
        print_json({**batch.model_dump(mode="json"), "upload": upload and upload.model_dump(mode="json")})
        return
    results.print(batch_facts(batch))
    if upload and upload.refused_sample:
        shown = upload.refused_sample[:_REFUSED_SHOWN]
        results.print(refused_table(shown, f"{_unsent(upload)}, the first {len(shown)}"))
    if how.watching:
        results.print(counts_table(batch))
        results.print(f"Everything by line: bulkfax batches report {batch.id}", soft_wrap=True)
    elif how.draft and batch.state == "draft":
        results.print(f"Start it: bulkfax batches start {batch.id}", soft_wrap=True)
    else:
        results.print(f"Watch it: bulkfax batches watch {batch.id}", soft_wrap=True)
