"""``account``: shows the rate limits of the account and how much of them is used, and changes them."""

import re
from collections.abc import Callable
from typing import Annotated

import typer

from dispatcher.cli.output import JsonOption, note, print_json, results
from dispatcher.cli.tables import account_facts, limits_table, rollback_facts, unknown_faxes_table
from dispatcher.client import Account, Client

app = typer.Typer(help="The account's rate limits: show them, show how much is used, change them.")

_RATE = re.compile(r"(\d+(?:\.\d+)?)/(s|m|d)")
_DEFAULT = "default"


@app.callback(invoke_without_command=True)
def show(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the limits in force and where each comes from, the current rate, and what blocks it."""
    if context.invoked_subcommand is None:
        with Client.from_environment() as client:
            _show(client.account(), as_json=as_json)


@app.command()
def rate(
    limit: Annotated[
        str,
        typer.Argument(
            metavar="LIMIT",
            help="New limit: 50/s, 3000/m or 100000/d. 0/m or 0/d removes that limit; "
            "default restores the limits of the settings.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Change one limit, for all processes at once. It overrides the settings until `account rate default`."""
    change = _reset if limit == _DEFAULT else _change_to(limit)
    with Client.from_environment() as client:
        account = change(client)
    if not as_json:
        note("The limits of the settings apply again." if limit == _DEFAULT else f"The account's limit is now {limit}.")
    _show(account, as_json=as_json)


@app.command()
def unblock(as_json: JsonOption = False) -> None:
    """End the pause that the provider asked for with a 429 or a 503. Sending resumes at the reduced rate."""
    with Client.from_environment() as client:
        account = client.unblock()
    if not as_json:
        note("The account no longer waits for the provider.")
    _show(account, as_json=as_json)


@app.command()
def resume(
    accept_rollback: Annotated[
        bool,
        typer.Option(
            "--accept-rollback", help="Accept that Redis has lost writes; continue with the reconciled records."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what is known of writes that Redis has lost, and let sending continue."""
    with Client.from_environment() as client:
        account = client.account()
        lost = account.rollback
        if lost is None or lost.resumed_at is not None:
            note("error: the account is not held because of lost writes")
            raise typer.Exit(1)
        if accept_rollback:
            account = client.resume_account(accept_rollback=True)
    _show_rollback(account, as_json=as_json)
    if not accept_rollback:
        note("To continue sending, run `bulkfax account resume --accept-rollback`.")
        raise typer.Exit(1)


def _show_rollback(account: Account, *, as_json: bool) -> None:
    lost = account.rollback
    if as_json or lost is None:
        print_json(account.model_dump(mode="json"))
        return
    results.print(rollback_facts(lost))
    if lost.unknown_faxes:
        results.print(unknown_faxes_table(lost.unknown_faxes))
    if lost.resumed_at is not None:
        note("Sending continues.")
    elif lost.accepted_at is not None:
        note("Accepted. Sending continues automatically once the provider's list has been read to its end.")


def _reset(client: Client) -> Account:
    return client.reset_rate()


def _change_to(limit: str) -> Callable[[Client], Account]:
    """Return the call that sets a limit such as ``3000/m``. Raises typer.BadParameter (exit status 2)."""
    match = _RATE.fullmatch(limit)
    if match is None:
        raise typer.BadParameter("write it as in 50/s, 3000/m or 100000/d, or default", param_hint="LIMIT")
    number, period = float(match[1]), match[2]
    if period == "s" and not number:
        raise typer.BadParameter("0/s would stop all sending; pause the batches instead", param_hint="LIMIT")
    if period != "s" and not number.is_integer():
        raise typer.BadParameter("give a whole number of faxes in a minute or a day", param_hint="LIMIT")
    match period:
        case "s":
            return lambda client: client.set_rate(per_second=number)
        case "m":
            return lambda client: client.set_rate(per_minute=int(number))
    return lambda client: client.set_rate(per_day=int(number))


def _show(account: Account, *, as_json: bool) -> None:
    if as_json:
        print_json(account.model_dump(mode="json"))
        return
    results.print(account_facts(account))
    results.print(limits_table(account.limits))
    if account.rollback is not None and account.rollback.resumed_at is None:
        results.print(rollback_facts(account.rollback))
