"""``policy explain``: shows what happens after a failure, and why."""

from dataclasses import asdict
from typing import Annotated

import typer

from dispatcher.cli.output import JsonOption, note, print_json, results
from dispatcher.cli.tables import pairs
from dispatcher.client import ERROR_TYPES, Client, Explanation, NotReachable
from dispatcher.core.closed_sets import unknown_word
from dispatcher.core.counted import counted
from dispatcher.core.retry.explain import explain
from dispatcher.core.retry_table.rule import HTTP, OTHER

app = typer.Typer(help="The retry policy: when a failed fax is tried again.", no_args_is_help=True)

#: the largest code that the API takes
_LARGEST_CODE = 1_000_000
_VERDICTS = {
    "retry": "retry: it is tried again",
    "permanent": "permanent: the job fails at once",
    "hold": "hold: sending stops until the cause is mended; nothing is spent",
    "uncertain": "uncertain: it is looked up at the provider before anything else",
}


@app.command("explain")
def explain_(
    error_type: Annotated[
        str,
        typer.Argument(
            metavar="TYPE", help="The provider's error type, such as CALL_ERROR, or http for an HTTP status."
        ),
    ],
    error_code: Annotated[int, typer.Argument(metavar="CODE", help="The provider's error code, or the HTTP status.")],
    here: Annotated[
        bool, typer.Option("--here", help="Under the policy of this shell (BULKFAX_POLICY_FILE), without a server.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what happens after this failure under the server's policy, and why.

    If no server answers, it is the policy of this shell (BULKFAX_POLICY_FILE), which may be another one.
    """
    name = error_type.lower() if error_type.lower() in (HTTP, OTHER) else error_type.upper()
    if name not in ERROR_TYPES:
        raise typer.BadParameter(unknown_word(error_type, ERROR_TYPES), param_hint="TYPE")
    if not 0 <= error_code <= _LARGEST_CODE:
        raise typer.BadParameter("give a code such as 17, or a status such as 402", param_hint="CODE")
    server, explanation = ("", _of_this_shell(name, error_code)) if here else _of_the_server(name, error_code)
    if as_json:
        print_json(explanation.model_dump(mode="json") | {"server": server or None})
        return
    whose = f"the server's, at {server}" if server else "of this shell (BULKFAX_POLICY_FILE); a server may use another"
    results.print(pairs({"policy": whose} | _facts(explanation)))


def _of_the_server(error_type: str, error_code: int) -> tuple[str, Explanation]:
    """Return the address of the server and what it says; without a server, "" and what the policy of this shell says.

    A server that answers something else, such as that a key is missing, is an error.
    """
    with Client.from_environment(patience_s=0) as client:
        try:
            return client.url, client.explanation(error_type, error_code)
        except NotReachable as error:
            note(f"This is the policy of this shell (BULKFAX_POLICY_FILE), because no server could be asked: {error}")
    return "", _of_this_shell(error_type, error_code)


def _of_this_shell(error_type: str, error_code: int) -> Explanation:
    from dispatcher.runtime import read_policy  # late: it costs other commands a second
    from dispatcher.settings import load_settings

    return Explanation.model_validate(asdict(explain(error_type, error_code, read_policy(load_settings()))))


def _facts(explanation: Explanation) -> dict[str, str]:
    known = "" if explanation.documented else "  (not in the table: the default of its type)"
    changed = "  (changed by your policy)" if explanation.changed else ""
    return {
        "failure": f"{explanation.error_type} {explanation.error_code}{known}{changed}",
        "category": explanation.category,
        "verdict": _VERDICTS.get(explanation.verdict, explanation.verdict),
        "in the table": explanation.table_verdict if explanation.table_verdict != explanation.verdict else "",
        "spends": explanation.spends,
        "retries after": _delays(explanation.delays, explanation.max_attempts),
        "unproven number": _delays(explanation.unproven_delays, explanation.unproven_max),
        "holds": _hold(explanation),
        "pages": explanation.pages,
        "remedies": ", ".join(f"{r.name}{'' if r.implemented else ' (not built yet)'}" for r in explanation.remedies),
        "until then": explanation.fallback,
        "alert": "yes" if explanation.alert else "",
        "why": explanation.why,
    }


def _hold(explanation: Explanation) -> str:
    if not explanation.scope:
        return ""
    return f"the {explanation.scope}" + (
        f", after {explanation.hold_after} in a row" if explanation.hold_after > 1 else ""
    )


def _delays(delays: tuple[str, ...], max_attempts: int) -> str:
    if not delays:
        return ""
    return ", ".join(delays) + (f"; {counted(max_attempts, 'attempt')} at most" if max_attempts else "")
