"""``provider cover-pages ...``: the cover pages of a service."""

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.output import CommandFailed, JsonOption, confirm, note, print_json, results
from dispatcher.cli.provider.provider_call import (
    ServiceOption,
    YesOption,
    call_provider,
    collect,
    service_or_default,
)
from dispatcher.cli.provider.tables import as_json as page_json
from dispatcher.cli.provider.tables import cover_pages_table, details_table
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.models import CoverPage

app = typer.Typer(help="Cover pages of a service.", no_args_is_help=True)

_PageArgument = Annotated[str, typer.Argument(metavar="COVER_PAGE", help="ID of the cover page.")]


@app.command("list")
def list_(service: ServiceOption = "", as_json: JsonOption = False) -> None:
    """List the cover pages of a service."""

    async def read(client: FaxClient) -> list[CoverPage]:
        return await collect(client.cover_pages.iter_all(await service_or_default(client, service)))

    pages = call_provider(read)
    if as_json:
        print_json({"coverPages": [page_json(page) for page in pages]})
    else:
        results.print(cover_pages_table(pages)) if pages else note("The service has no cover page.")


@app.command()
def show(page: _PageArgument, service: ServiceOption = "", as_json: JsonOption = False) -> None:
    """Show a cover page without its document."""

    async def read(client: FaxClient) -> CoverPage:
        return await client.cover_pages.get(await service_or_default(client, service), page)

    _show(call_provider(read), as_json=as_json)


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the cover page.")],
    file: Annotated[Path, typer.Argument(metavar="FILE.pdf", help="PDF file with the page.")],
    service: ServiceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add a cover page.

    Use it with `bulkfax send --cover-page ID`.
    """
    pdf = _read(file)

    async def add(client: FaxClient) -> CoverPage:
        return await client.cover_pages.add(await service_or_default(client, service), name, pdf)

    _show(call_provider(add, "sending the cover page"), as_json=as_json)


@app.command()
def delete(
    page: _PageArgument, service: ServiceOption = "", yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """Delete a cover page.

    Batches that use it can no longer be sent.
    """
    confirm(f"Delete cover page {page} for good?", yes=yes)

    async def remove(client: FaxClient) -> None:
        await client.cover_pages.delete(await service_or_default(client, service), page)

    call_provider(remove)
    print_json({"deleted": page}) if as_json else note(f"cover page {page} is deleted")


def _read(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}") from error
    if not content.startswith(b"%PDF-"):
        raise CommandFailed(f"{file} is not a PDF: the provider accepts only PDF cover pages")
    return content


def _show(page: CoverPage, *, as_json: bool) -> None:
    print_json(page_json(page)) if as_json else results.print(details_table(page))
