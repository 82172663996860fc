"""``provider faxes ...``: faxes as the provider holds them. Sending goes through ``bulkfax send``, which loses none."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from dispatcher.cli.output import CommandFailed, JsonOption, note, print_json, results
from dispatcher.cli.provider.provider_call import YesOption, ask, confirm, ensure_new
from dispatcher.cli.provider.tables import as_json as fax_json
from dispatcher.cli.provider.tables import facts, faxes_table
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import NotFoundError
from dispatcher.sinch.models import Fax
from dispatcher.sinch.wire import LARGEST_PAGE, FaxQuery

app = typer.Typer(help="Faxes at the provider: look at them, fetch them.", no_args_is_help=True)

_FaxArgument = Annotated[str, typer.Argument(metavar="FAX", help="Id of the fax, as `bulkfax jobs show` has it.")]
_Force = Annotated[bool, typer.Option("--force", "-f", help="Write over a file that is there.")]


def _filter(help_text: str, **more: Any) -> Any:
    return typer.Option(help=help_text, rich_help_panel="Which faxes", **more)


_Direction = Annotated[Literal["outbound", "inbound", "both"], _filter("Which way they went.")]
_Status = Annotated[
    Literal["QUEUED", "IN_PROGRESS", "COMPLETED", "FAILURE"] | None, _filter("Only these.", case_sensitive=False)
]
_To = Annotated[str, _filter("To this number, or to all that begin like this, as in +1202.")]
_Sender = Annotated[str, _filter("From this number, or from all that begin like this.")]
_Service = Annotated[str, _filter("Of this service.")]
_Since = Annotated[datetime | None, _filter("Taken since then, local time; the last seven days if not given.")]
_Until = Annotated[datetime | None, _filter("Taken until then; a day without time counts to its end.")]


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
    if until is not None and until.time() == time_of_day.min:
        until += timedelta(days=1, seconds=-1)
    return FaxQuery(
        direction="" if direction == "both" else direction.upper(),
        status=status or "",
        to=to,
        sender=sender,
        service_id=service,
        created_from_ms=_ms(since),
        created_to_ms=_ms(until),
    )


def _ms(local: datetime | None) -> int | None:
    return round(local.timestamp() * 1000) if local else None


@app.command("list")
def list_(
    direction: _Direction = "outbound",
    status: _Status = None,
    to: _To = "",
    sender: _Sender = "",
    service: _Service = "",
    since: _Since = None,
    until: _Until = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Faxes that match all filters, in the provider's order."""
    query = _query(direction=direction, status=status, to=to, sender=sender, service=service, since=since, until=until)
    found = ask(_first(query, limit + 1), "reading the provider's list")
    shown = found[:limit]
    if as_json:
        print_json({"faxes": [fax_json(fax) for fax in shown], "more": len(found) > limit})
        return
    if not shown:
        note("No fax matches. Without --since and --until only the last seven days are looked at.")
        return
    results.print(faxes_table(shown))
    if len(found) > limit:
        note(f"There are more than {limit}: --limit shows more, `bulkfax provider faxes export` has all.")


def _first(query: FaxQuery, count: int) -> Callable[[FaxClient], Awaitable[list[Fax]]]:
    """Reads no more pages than that takes."""
    sized = replace(query, page_size=min(count, LARGEST_PAGE))

    async def read(client: FaxClient) -> list[Fax]:
        faxes: list[Fax] = []
        async for fax in client.faxes.walk(sized, now_ms=round(time.time() * 1000)):
            faxes.append(fax)
            if len(faxes) == count:
                break
        return faxes

    return read


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Where to.")] = Path("faxes.csv"),
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
    """Write the provider's own CSV of the faxes that match all filters."""
    ensure_new(file, force=force)
    query = _query(direction=direction, status=status, to=to, sender=sender, service=service, since=since, until=until)
    size = ask(lambda client: client.faxes.export_csv(query, file), "fetching the provider's export")
    _written(file, size, as_json=as_json)


@app.command()
def show(fax: _FaxArgument, as_json: JsonOption = False) -> None:
    """One fax: its settings, and what became of it."""
    found = ask(lambda client: client.faxes.get(fax))
    print_json(fax_json(found)) if as_json else results.print(facts(found))


@app.command()
def download(
    fax: _FaxArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to; FAX.pdf if not given.")] = None,
    force: _Force = False,
    as_json: JsonOption = False,
) -> None:
    """Write what was faxed to a file, as PDF."""
    file = output or Path(f"{fax}.pdf")
    ensure_new(file, force=force)
    _written(file, ask(lambda client: _download(client, fax, file), "fetching the fax"), as_json=as_json)


async def _download(client: FaxClient, fax: str, file: Path) -> int:
    try:
        return await client.faxes.download(fax, file)
    except NotFoundError as error:
        # the same answer for no such fax and for one without content: the fax itself tells which
        await client.faxes.get(fax)
        raise CommandFailed(
            f"the provider holds no content of {fax}: deleted, not there yet, or never saved"
        ) from error


@app.command("delete-content")
def delete_content(fax: _FaxArgument, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Delete at the provider what was faxed. The record of the fax stays."""
    confirm(f"Delete the content of {fax} at the provider for good?", yes=yes)
    ask(lambda client: client.faxes.delete_content(fax))
    print_json({"deleted": fax}) if as_json else note(f"the content of {fax} is deleted; its record stays")


def _written(file: Path, size: int, *, as_json: bool) -> None:
    print_json({"file": str(file), "bytes": size}) if as_json else note(f"{file} written ({size:,} bytes)")
