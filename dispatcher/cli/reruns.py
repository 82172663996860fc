"""``batches rerun``: says what would be sent again, asks, and sends it as a new batch."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

from dispatcher.cli import fax_options
from dispatcher.cli.job_options import JobOptions, ensure_states, with_job_options
from dispatcher.cli.option_groups import with_options
from dispatcher.cli.output import (
    AllowRepeat,
    AllowWarnings,
    JsonOption,
    KeyOption,
    YesOption,
    confirm,
    note,
    notes,
    print_json,
    results,
)
from dispatcher.cli.progress import bytes_bar
from dispatcher.cli.send import ensure_letter
from dispatcher.cli.tables import batch_facts, counts_table, rerun_facts
from dispatcher.cli.times import in_range, start_time, time_option
from dispatcher.cli.watch import watch_to_end
from dispatcher.client import (
    FINAL_STATES,
    Batch,
    Client,
    NewRerun,
    NewReruns,
    NotReachable,
    Options,
    Overrides,
    RerunPreview,
    Unavailable,
    api_options,
    new_key,
)
from dispatcher.core.counted import counted, percent

_PANEL = "What is put right"


def _option(help_text: str, *names: str) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=_PANEL)


def _time(help_text: str) -> Any:
    return time_option(help_text, panel=_PANEL)


class PutRight(NamedTuple):
    """What the new batch does differently. What is left out stays as it was."""

    letter: Annotated[list[Path] | None, _option("PDF to send in place of all documents before; may be repeated.")] = (
        None
    )
    document_url: fax_options.DocumentUrl = None
    sender: fax_options.Sender = ""
    service: fax_options.Service = ""
    header_text: fax_options.HeaderText = ""
    page_numbers: fax_options.PageNumbers = None
    time_zone: fax_options.TimeZone = ""
    resolution: fax_options.Resolution = None
    image_conversion: fax_options.ImageConversion = None
    cover_page: fax_options.CoverPage = ""
    cover_field: fax_options.CoverField = None
    name: Annotated[str, _option("Name of the batch.")] = ""
    on_partial: Annotated[
        Literal["resume", "resend", "stop"] | None, _option("What to do if only some pages arrive.")
    ] = None
    priority: Annotated[Literal["bulk", "urgent"] | None, _option("Priority of the batch.")] = None
    weight: Annotated[int | None, _option("Share of the rate relative to other batches, 1 to 100.")] = None
    max_per_second: Annotated[float | None, _option("Maximum sends in a second.")] = None
    metadata: Annotated[
        list[str] | None, _option("KEY=VALUE of your own, in place of all before; may be repeated.")
    ] = None
    start_at: Annotated[datetime | None, _time("When to start. Local time unless it has an offset.")] = None
    deadline: Annotated[datetime | None, _time("When to give up jobs that are not delivered.")] = None

    def overrides(self) -> dict[str, Any]:
        """Return the fields of the request, without documents that are to be uploaded."""
        options = fax_options.fax_options(
            sender=self.sender,
            service=self.service,
            header_text=self.header_text,
            page_numbers=self.page_numbers,
            time_zone=self.time_zone,
            resolution=self.resolution,
            image_conversion=self.image_conversion,
            cover_page=self.cover_page,
            cover_field=self.cover_field,
        )
        chosen: dict[str, Any] = dict(api_options(options))
        return _set(
            name=self.name,
            content_urls=tuple(self.document_url or ()),
            options=Options(**chosen) if chosen else None,
            on_partial=self.on_partial,
            priority=self.priority,
            weight=self.weight,
            max_per_second=self.max_per_second,
            metadata=fax_options.named_values(self.metadata, "--metadata") if self.metadata else None,
            start_at=start_time(self.start_at),
            deadline=in_range(self.deadline, "--deadline"),
        )


_Batches = Annotated[list[str], typer.Argument(metavar="BATCH", help="Ids of the batches.")]
_States = Annotated[
    list[str] | None, typer.Option("--state", help="Final state of the jobs; may be repeated. Default: failed.")
]


@with_job_options
@with_options("put_right", PutRight)
def rerun(
    *,
    batches: _Batches,
    jobs: JobOptions,
    put_right: PutRight,
    state: _States = None,
    include_delivered: Annotated[
        bool, typer.Option("--include-delivered", help="Also those whose fax has arrived, or may have.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why they are sent again. It is kept with the new batch.")] = "",
    preview: Annotated[bool, typer.Option("--preview", help="Only show what would be sent.")] = False,
    draft: Annotated[bool, typer.Option("--draft", help="Do not start the new batch.")] = False,
    watching: Annotated[bool, typer.Option("--watch", help="Show progress until the new batch has ended.")] = False,
    allow_warnings: AllowWarnings = False,
    allow_repeat: AllowRepeat = False,
    yes: YesOption = False,
    key: KeyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Send jobs that ended once more, as a new batch, with what was wrong put right. The old batch keeps its results.

    It says first how many jobs, pages and minutes that is, and asks on a terminal.
    """
    ensure_states(state, FINAL_STATES)
    if not preview and not reason.strip():
        raise typer.BadParameter("say why they are sent again, as in 'wrong sender'", param_hint="--reason")
    asked = {
        **jobs.fields(),
        "states": tuple(state or ("failed",)),
        **_set(include_delivered=include_delivered, allow_warnings=allow_warnings, allow_repeat=allow_repeat),
        **_set(reason=reason),
        **({"start": False} if draft else {}),
    }
    with Client.from_environment() as client:
        overrides = put_right.overrides()
        if put_right.letter:
            overrides["documents"] = tuple(upload(client, path) for path in put_right.letter)
        if overrides:
            asked["overrides"] = Overrides(**overrides)
        new = NewReruns(batches=tuple(batches), **asked)
        if preview:
            _show_preview(_preview(client, new), as_json=as_json)
            return
        _ask(_preview(client, new), yes=yes)
        created = _run(client, new, key or new_key())
        if watching and not draft:
            created = [watch_to_end(client, batch.id) for batch in created]
        _show(created, as_json=as_json)


def _ask(seen: RerunPreview, *, yes: bool) -> None:
    """Say what would be sent, and ask on a terminal. Without a job, the command ends with status 1."""
    notes.print(rerun_facts(seen))
    if not seen.jobs:
        note("No job would be sent.")
        raise typer.Exit(1)
    confirm(f"Send {counted(seen.jobs, 'job')} again?", yes=yes or not sys.stdin.isatty())


def _set(**values: Any) -> dict[str, Any]:
    """Return the values that say something."""
    return {name: value for name, value in values.items() if value not in ("", None, False, ())}


def upload(client: Client, path: Path) -> str:
    """Upload a PDF, with a progress bar, and return its id."""
    ensure_letter(path)
    with bytes_bar(path.name) as progress:
        return client.upload_document(path, progress=progress).id


def _single(new: NewReruns) -> NewRerun:
    """Return the request for a batch alone."""
    names = new.model_fields_set - {"batches"}
    return NewRerun(**{name: getattr(new, name) for name in names})


def _preview(client: Client, new: NewReruns) -> RerunPreview:
    def progress(share: float) -> None:
        note(f"{percent(share)} counted")

    if len(new.batches) == 1:
        return client.preview_rerun(new.batches[0], _single(new), progress=progress)
    return client.preview_reruns(new, progress=progress)


def _run(client: Client, new: NewReruns, key: str) -> list[Batch]:
    try:
        if len(new.batches) == 1:
            created = [client.rerun(new.batches[0], _single(new), key=key)]
        else:
            created = list(client.rerun_batches(new, key=key).batches)
    except (NotReachable, Unavailable):
        note(f"a new batch may exist in part: repeat the command with --key {key} to continue")
        raise
    for batch in created:
        parents = ", ".join(batch.parents)
        note(f"{counted(batch.rows, 'job')} of {parents} run again as batch {batch.id}, which is {batch.state}")
    return created


def _show_preview(seen: RerunPreview, *, as_json: bool) -> None:
    if as_json:
        print_json(seen.model_dump(mode="json"))
    else:
        results.print(rerun_facts(seen))


def _show(created: Sequence[Batch], *, as_json: bool) -> None:
    if as_json and len(created) == 1:
        print_json(created[0].model_dump(mode="json"))
    elif as_json:
        print_json({"batches": [batch.model_dump(mode="json") for batch in created]})
    else:
        for batch in created:
            results.print(batch_facts(batch))
            results.print(counts_table(batch))
