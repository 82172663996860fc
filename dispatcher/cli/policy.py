"""``policy explain``: shows what happens after a failure, and why."""

from dataclasses import asdict
from typing import Annotated

import typer

from dispatcher.cli.output import JsonOption, print_json, results
from dispatcher.cli.tables import pairs
from dispatcher.client import ERROR_TYPES
from dispatcher.core.closed_sets import unknown_word
from dispatcher.core.counted import counted
from dispatcher.core.retry.explain import Explanation, explain
from dispatcher.core.retry_table.rule import HTTP, OTHER

app = typer.Typer(help="The retry policy: when a failed fax is tried again.", no_args_is_help=True)

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
    as_json: JsonOption = False,
) -> None:
    """Show what happens after this failure under the policy in use (BULKFAX_POLICY_FILE), and why."""
    from dispatcher.runtime import read_policy  # late: it costs other commands a second
    from dispatcher.settings import load_settings

    name = error_type.lower() if error_type.lower() in (HTTP, OTHER) else error_type.upper()
    if name not in ERROR_TYPES:
        raise typer.BadParameter(unknown_word(error_type, ERROR_TYPES), param_hint="TYPE")
    explanation = explain(name, error_code, read_policy(load_settings()))
    if as_json:
        print_json(asdict(explanation))
        return
    results.print(pairs(_facts(explanation)))


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
