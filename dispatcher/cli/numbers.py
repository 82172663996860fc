"""``numbers ...``: was a number ever faxed, what came of it, and may it be faxed."""

from itertools import islice
from typing import Annotated

import typer

from dispatcher.cli.output import JsonOption, note, print_json, results
from dispatcher.cli.tables import lookup_table
from dispatcher.client import Client, Job, NotFound, Suppression
from dispatcher.core.counted import counted

app = typer.Typer(help="Fax numbers: what was sent to them.", no_args_is_help=True)


@app.command()
def show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Fax number, in any form.")],
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of jobs.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show what was sent to a number, newest first, and whether it is on the do-not-fax list."""
    with Client.from_environment() as client:
        jobs = list(islice(client.look_up(number=number), limit + 1))
        entry = _suppression(client, number)
    shown, more = jobs[:limit], len(jobs) > limit
    if as_json:
        suppression = entry.model_dump(mode="json") if entry else None
        print_json({"jobs": [job.model_dump(mode="json") for job in shown], "more": more, "suppression": suppression})
        return
    _print(shown, entry)
    if more:
        note(f"There are more than {counted(limit, 'job')}: use --limit to show more.")


def _print(jobs: list[Job], entry: Suppression | None) -> None:
    if jobs:
        results.print(lookup_table(jobs, "Show one: bulkfax jobs show JOB"))
    else:
        note("No job to this number, among those that can be looked up (the policy's retention.lookup: 90 days).")
    if entry and entry.active:
        reason = f": {entry.reason}" if entry.reason else ""
        note(f"The number is on the do-not-fax list ({entry.source}{reason}).")


def _suppression(client: Client, number: str) -> Suppression | None:
    try:
        return client.suppression(number)
    except NotFound:
        return None
