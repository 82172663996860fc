"""``batches change``: puts right what a batch that has not ended sends, and when."""

from typing import Annotated, Any

import typer

from dispatcher.cli.option_groups import with_options
from dispatcher.cli.output import AllowRepeat, AllowWarnings, JsonOption, note, print_json
from dispatcher.cli.reruns import PutRight, upload
from dispatcher.client import ChangeBatch, ChangedBatch, ChangedOptions, Client
from dispatcher.core.counted import counted

#: what can be brought back to the default: fields of the request, and the names of its options with their fields
_FIELDS = ("on-partial", "priority", "weight", "max-per-second", "start-at", "deadline", "metadata")
_OPTIONS = {name.replace("_", "-"): field.alias or name for name, field in ChangedOptions.model_fields.items()}


@with_options("put_right", PutRight)
def change(
    *,
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="Id of the batch.")],
    put_right: PutRight,
    unset: Annotated[
        list[str] | None,
        typer.Option(help="Option to bring back to its default, such as sender or deadline; may be repeated."),
    ] = None,
    version: Annotated[int | None, typer.Option(help="Only if the batch has this version.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    allow_warnings: AllowWarnings = False,
    allow_repeat: AllowRepeat = False,
    as_json: JsonOption = False,
) -> None:
    """Change a draft, or a batch that is paused or held. No job is sent as before any more; calls in progress finish.

    Priority, weight, rate and deadline can be changed while it is sent. A hold ends if the change removes its cause.
    """
    cleared, options = _unset(unset or [])
    with Client.from_environment() as client:
        changes: dict[str, Any] = put_right.overrides()
        typed = changes.pop("options", None)
        options |= typed.model_dump(by_alias=True, exclude_unset=True) if typed else {}
        if put_right.letter or put_right.document_url:
            changes["content_urls"] = changes.get("content_urls")
            changes["documents"] = tuple(upload(client, path) for path in put_right.letter or ()) or None
        changes |= cleared | ({"options": ChangedOptions(**options)} if options else {})
        if not changes:
            raise typer.BadParameter("name what to change, as in --sender +12025550100 or --letter LETTER.pdf")
        more: dict[str, Any] = {"version": version, "dry_run": dry_run or None}
        more |= {"allow_warnings": allow_warnings or None, "allow_repeat": allow_repeat or None}
        asked = ChangeBatch(**changes, **{name: value for name, value in more.items() if value is not None})
        changed = client.update_batch(batch, asked)
    if as_json:
        print_json(changed.model_dump(mode="json"))
    else:
        _say(changed)


def _unset(names: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of the request, and those of its options, that take their defaults again."""
    for name in names:
        if name not in (*_FIELDS, *_OPTIONS):
            raise typer.BadParameter(
                f"{name} is none of {', '.join(sorted((*_FIELDS, *_OPTIONS)))}", param_hint="--unset"
            )
    fields = {name.replace("-", "_"): None for name in names if name in _FIELDS}
    return fields, {_OPTIONS[name]: None for name in names if name in _OPTIONS}


def _say(changed: ChangedBatch) -> None:
    if not changed.changed:
        note(f"batch {changed.id} has these values already: nothing changed")
        return
    names = ", ".join(name.removeprefix("options.") for name in changed.changed)
    if changed.dry_run:
        note(f"would change of batch {changed.id}: {names}. Nothing was changed")
    else:
        note(f"changed of batch {changed.id}: {names}. It has version {changed.version} and is {changed.state}")
    if changed.in_flight:
        note(f"{counted(changed.in_flight, 'call')} in progress will finish as before")
    for hold in changed.ended_holds:
        note(f"hold {'would end' if changed.dry_run else 'has ended'}: {hold.scope} ({hold.category})")
    if not changed.dry_run and changed.state == "paused":
        note(f"To go on: bulkfax batches resume {changed.id}")
