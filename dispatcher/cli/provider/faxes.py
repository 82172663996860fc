"""``provider faxes ...``: the faxes that are stored at the provider.

To send faxes, use ``bulkfax send``.
"""

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from dispatcher.cli.output import CommandFailed, JsonOption, confirm, note, print_json, results
from dispatcher.cli.provider.provider_call import YesOption, call_provider, ensure_writable
from dispatcher.cli.provider.tables import as_json as fax_json
from dispatcher.cli.provider.tables import details_table, faxes_table
from dispatcher.cli.times import TIME, option_ms
from dispatcher.core.counted import counted
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import NotFoundError
from dispatcher.sinch.models import Fax
from dispatcher.sinch.wire import MAX_PAGE_SIZE, FaxQuery

app = typer.Typer(help="Faxes at the provider: list and download them.", no_args_is_help=True)

#: IDs that are also the name of a file: letters, digits, ``_``, ``-``
_PLAIN_ID = re.compile(r"[\w-]{1,200}", re.ASCII)
_FaxArgument = Annotated[str, typer.Argument(metavar="FAX", help="ID of the fax, as `bulkfax jobs show` shows it.")]
_Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite an existing file.")]


def _filter(help_text: str, **options: Any) -> Any:
    return typer.Option(help=help_text, rich_help_panel="Filters", **options)


_Direction = Annotated[Literal["outbound", "inbound", "both"], _filter("Direction of the faxes.")]
_Status = Annotated[
    Literal["QUEUED", "IN_PROGRESS", "COMPLETED", "FAILURE"] | None,
    _filter("Status of the faxes.", case_sensitive=False),
]
_To = Annotated[str, _filter("Recipient number or its first digits, as in +1202.")]
_Sender = Annotated[str, _filter("Sender number or its first digits.")]
_Service = Annotated[str, _filter("ID of the service.")]
_Since = Annotated[datetime | None, _filter("Created since then, local time. Default: seven days ago.", **TIME)]
_Until = Annotated[
    datetime | None, _filter("Created until then, local time. A date without a time includes the whole day.", **TIME)
]


def _query(
    *,
    direction: str,
    status: str | None,
    to: str,
    sender: str,
    service: str,
    since: datetime | None,
    until: datetime | None,
) -> FaxQuery:
    to_ms = option_ms(until, "--until")
    if until is not None and to_ms is not None and until.time() == time_of_day.min:
        to_ms = option_ms(until + timedelta(days=1, seconds=-1), "--until")
    return FaxQuery(
        direction="" if direction == "both" else direction.upper(),
        status=status or "",
        to=to,
        sender=sender,
        service_id=service,
        created_from_ms=option_ms(since, "--since"),
        created_to_ms=to_ms,
    )


@app.command("list")
def list_(
    direction: _Direction = "outbound",
    status: _Status = None,
    to: _To = "",
    sender: _Sender = "",
    service: _Service = "",
    since: _Since = None,
    until: _Until = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of faxes.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List the faxes that match all filters, in the provider's order."""
    query = _query(direction=direction, status=status, to=to, sender=sender, service=service, since=since, until=until)
    faxes = call_provider(_first_faxes(query, limit + 1), "reading the provider's list")
    shown = faxes[:limit]
    if as_json:
        print_json({"faxes": [fax_json(fax) for fax in shown], "more": len(faxes) > limit})
        return
    if not shown:
        note("No fax matches. Without --since and --until, only the last seven days are listed.")
        return
    results.print(faxes_table(shown))
    if len(faxes) > limit:
        note(f"There are more than {limit}: --limit shows more, `bulkfax provider faxes export` writes all.")


def _first_faxes(query: FaxQuery, count: int) -> Callable[[FaxClient], Awaitable[list[Fax]]]:
    """Return a function that reads the first ``count`` faxes, with as few pages as possible."""
    sized = replace(query, page_size=min(count, MAX_PAGE_SIZE))

    async def read(client: FaxClient) -> list[Fax]:
        faxes: list[Fax] = []
        async for fax in client.faxes.iter_all(sized, now_ms=round(time.time() * 1000)):
            faxes.append(fax)
            if len(faxes) == count:
                break
        return faxes

    return read


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="File to write.")] = Path("faxes.csv"),
    direction: _Direction = "outbound",
    status: _Status = None,
    to: _To = "",
    sender: _Sender = "",
    service: _Service = "",
    since: _Since = None,
    until: _Until = None,
    force: _Force = False,
    as_json: JsonOption = False,
) -> None:
    """Write the provider's CSV export of the faxes that match all filters."""
    ensure_writable(file, force=force)
    query = _query(direction=direction, status=status, to=to, sender=sender, service=service, since=since, until=until)
    size = call_provider(lambda client: client.faxes.export_csv(query, file), "fetching the provider's export")
    _report_written(file, size, as_json=as_json)


@app.command()
def show(fax: _FaxArgument, as_json: JsonOption = False) -> None:
    """Show a fax with its settings and its result."""
    resource = call_provider(lambda client: client.faxes.get(fax))
    print_json(fax_json(resource)) if as_json else results.print(details_table(resource))


@app.command()
def download(
    fax: _FaxArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write. Default: FAX.pdf.")] = None,
    force: _Force = False,
    as_json: JsonOption = False,
) -> None:
    """Download the content of a fax: a PDF, or a TIFF, of at most 50 MB."""
    file = output or _default_file(fax)
    ensure_writable(file, force=force)
    _report_written(
        file, call_provider(lambda client: _download(client, fax, file), "fetching the fax"), as_json=as_json
    )


def _default_file(fax: str) -> Path:
    """Return a file of the current folder that is named after a fax.

    Raises:
        typer.BadParameter: an ID like this would name a file elsewhere.
    """
    if not _PLAIN_ID.fullmatch(fax):
        raise typer.BadParameter("this is no plain ID: name the file with --output", param_hint="FAX")
    return Path(f"{fax}.pdf")


async def _download(client: FaxClient, fax: str, file: Path) -> int:
    try:
        return await client.faxes.download(fax, file)
    except NotFoundError as error:
        # an unknown fax and a fax without content have the same status; reading the fax tells them apart
        await client.faxes.get(fax)
        raise CommandFailed(
            f"the provider holds no content of {fax}: deleted, not there yet, or never saved"
        ) from error


@app.command("delete-content")
def delete_content(fax: _FaxArgument, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Delete the content of a fax at the provider.

    The fax itself remains.
    """
    confirm(f"Delete the content of {fax} at the provider for good?", yes=yes)
    call_provider(lambda client: client.faxes.delete_content(fax))
    print_json({"deleted": fax}) if as_json else note(f"the content of {fax} is deleted; the fax itself remains")


def _report_written(file: Path, size: int, *, as_json: bool) -> None:
    print_json({"file": str(file), "bytes": size}) if as_json else note(f"{file} written ({counted(size, 'byte')})")
