"""``account``: the limits in force, how they are used, and changing them while everything runs."""

import re
from collections.abc import Callable
from typing import Annotated

import typer

from dispatcher.cli.output import JsonOption, note, print_json, results
from dispatcher.cli.tables import account_facts, limits_table, rollback_facts, unknown_faxes_table
from dispatcher.client import Account, Client

app = typer.Typer(help="The account's rate: what is allowed, what is used, and changing it.")

_RATE = re.compile(r"(\d+(?:\.\d+)?)/(s|m|d)")
_DEFAULT = "default"


@app.callback(invoke_without_command=True)
def show(context: typer.Context, as_json: JsonOption = False) -> None:
    """The limits in force and where each comes from, the rate now, and what blocks it."""
    if context.invoked_subcommand is None:
        with Client.from_environment() as client:
            _show(client.account(), as_json=as_json)


@app.command()
def rate(
    limit: Annotated[
        str, typer.Argument(metavar="LIMIT", help="As in 50/s, 3000/m or 100000/d; 0/m and 0/d take it away; default.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Change one limit, for all processes at once; it stands above the settings until `rate default` gives it back."""
    change = _reset if limit == _DEFAULT else _change_to(limit)
    with Client.from_environment() as client:
        account = change(client)
    if not as_json:
        note("The limits of the settings hold again." if limit == _DEFAULT else f"The account's limit is {limit} now.")
    _show(account, as_json=as_json)


@app.command()
def unblock(as_json: JsonOption = False) -> None:
    """End the wait that the provider asked for with a 429 or a 503; the rate begins where the refusal has cut it."""
    with Client.from_environment() as client:
        account = client.unblock()
    if not as_json:
        note("The account does not wait for the provider any more.")
    _show(account, as_json=as_json)


@app.command()
def resume(
    accept_rollback: Annotated[
        bool, typer.Option("--accept-rollback", help="Redis has lost writes; go on with what was reconciled.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what was found after Redis had lost writes, and let sending go on."""
    with Client.from_environment() as client:
        account = client.account()
        lost = account.rollback
        if lost is None or lost.resumed_at is not None:
            note("error: no lost writes hold the account")
            raise typer.Exit(1)
        if accept_rollback:
            account = client.resume_account(accept_rollback=True)
    _show_rollback(account, as_json=as_json)
    if not accept_rollback:
        note("Sending goes on after `bulkfax account resume --accept-rollback`.")
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
        note("Sending goes on.")
    elif lost.accepted_at is not None:
        note("Accepted. Sending goes on by itself when the provider's list has been read to its end.")


def _reset(client: Client) -> Account:
    return client.reset_rate()


def _change_to(limit: str) -> Callable[[Client], Account]:
    """What ``3000/m`` asks for. Raises typer.BadParameter, which is exit status 2."""
    found = _RATE.fullmatch(limit)
    if found is None:
        raise typer.BadParameter("write it as in 50/s, 3000/m or 100000/d, or default", param_hint="LIMIT")
    number, period = float(found[1]), found[2]
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
