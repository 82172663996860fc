"""Cancels single jobs: says how many, asks, cancels them."""

from collections.abc import Mapping

import typer

from dispatcher.cli.output import confirm, note, print_json
from dispatcher.client import CancelJobs, CancelledJobs, Client
from dispatcher.core.counted import counted


def cancel_jobs(
    client: Client, named: Mapping[str, CancelJobs], reason: str, *, preview: bool, yes: bool, as_json: bool
) -> None:
    """Cancel jobs of some batches, after a question that says how many they are."""
    if not preview and not reason.strip():
        raise typer.BadParameter("say why these jobs are cancelled, as in 'wrong prefix'", param_hint="--reason")
    seen = [client.cancel_jobs(batch, which.model_copy(update={"preview": True})) for batch, which in named.items()]
    if not preview and any(part.jobs for part in seen):
        confirm(f"Cancel {_sentence(seen)}?", yes=yes)
        seen = [
            client.cancel_jobs(batch, which.model_copy(update={"reason": reason})) for batch, which in named.items()
        ]
    if as_json:
        print_json({"cancelled": [part.model_dump(mode="json") for part in seen]})
    else:
        note(f"{_sentence(seen)}: {'would be cancelled' if preview else 'cancelled'}")


def _sentence(seen: list[CancelledJobs]) -> str:
    jobs, in_flight = sum(part.jobs for part in seen), sum(part.in_flight for part in seen)
    going_on = f", and {counted(in_flight, 'other')} whose calls are in progress and finish" if in_flight else ""
    return f"{counted(jobs, 'job')}{going_on}"
