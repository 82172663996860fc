"""``provider check``: check credentials, service, sender number and callback URL."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated

import typer

from dispatcher.cli import output
from dispatcher.cli.output import JsonOption, print_json, styled
from dispatcher.cli.provider.checks import CheckResult, CheckTarget, check_account, check_callback_url
from dispatcher.cli.provider.provider_call import call_provider
from dispatcher.cli.provider.test_fax import send_test_fax
from dispatcher.cli.tables import table
from dispatcher.settings import load_settings
from dispatcher.sinch.client import FaxClient

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_MARKS = {True: styled("ok", "green"), False: styled("wrong", "red"), None: styled("open", "yellow")}


def check(
    service: Annotated[str, typer.Option(help="ID of the service. Default: the default service of the project.")] = "",
    sender: Annotated[str, typer.Option(help="Number to send from. Default: the number of the service.")] = "",
    test_fax: Annotated[
        bool, typer.Option("--test-fax", help="Send a page to the provider's free test number and wait for the result.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check credentials, service, sender number and callback URL.

    The exit status is 1 if one of them is wrong.
    """
    if sender and not _E164.fullmatch(sender):
        raise typer.BadParameter("use the form +12025550100", param_hint="--sender")
    settings = load_settings()
    target = CheckTarget(base_url=settings.sinch.base_url, service=service, sender=sender)
    results = call_provider(_account_checks(target))
    account_works = _none_failed(results)
    results.append(check_callback_url(settings.public_url, settings.sinch.base_url))
    if test_fax and account_works:
        results.append(call_provider(lambda client: send_test_fax(client, target), "sending a page to the test number"))
    ok = _none_failed(results)
    print_json({"ok": ok, "checks": [asdict(result) for result in results]}) if as_json else _show(results)
    if not ok:
        raise typer.Exit(1)


def _account_checks(target: CheckTarget) -> Callable[[FaxClient], Awaitable[list[CheckResult]]]:
    return lambda client: check_account(client, target)


def _none_failed(results: list[CheckResult]) -> bool:
    return all(result.ok is not False for result in results)


def _show(results: list[CheckResult]) -> None:
    rows = table("", "check", "finding", prose=["finding"])
    for result in results:
        rows.add_row(_MARKS[result.ok], result.check, result.text)
    output.results.print(rows)
