"""``documents ...``: shows and deletes uploaded documents."""

from typing import Annotated

import typer

from dispatcher.cli.output import JsonOption, confirm, note_deleted, print_json, results
from dispatcher.cli.tables import document_facts
from dispatcher.client import Client
from dispatcher.core.counted import counted

app = typer.Typer(help="Uploaded documents: show and delete them.", no_args_is_help=True)


@app.command()
def show(
    document: Annotated[str, typer.Argument(metavar="DOCUMENT", help="Id of the document: its SHA-256.")],
    as_json: JsonOption = False,
) -> None:
    """Show the name, pages and size of a document."""
    with Client.from_environment() as client:
        shown = client.document(document)
    if as_json:
        print_json(shown.model_dump(mode="json"))
    else:
        results.print(document_facts(shown))


@app.command()
def delete(
    documents: Annotated[list[str], typer.Argument(metavar="DOCUMENT...", help="Ids of documents: their SHA-256.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete documents that no batch needs: ended batches can be rerun only with other documents then."""
    confirm(f"Delete {counted(len(documents), 'document')} for good?", yes=yes)
    with Client.from_environment() as client:
        deleted = []
        for document in documents:
            was_there = client.delete_document(document).removed > 0
            note_deleted(f"document {document}", was_there=was_there)
            deleted += [document] if was_there else []
    if as_json:
        print_json({"deleted": deleted})
