"""``provider ...``: commands that read and change resources at the provider directly, without the bulkfax API."""

import typer

from dispatcher.cli.provider import check, cover_pages, emails, faxes, numbers, services

app = typer.Typer(
    help="Read and change what is stored at Sinch: faxes, services, numbers, email addresses, cover pages.",
    no_args_is_help=True,
)
app.command()(check.check)
app.add_typer(faxes.app, name="faxes")
app.add_typer(services.app, name="services")
app.add_typer(numbers.app, name="numbers")
app.add_typer(emails.app, name="emails")
app.add_typer(cover_pages.app, name="cover-pages")
