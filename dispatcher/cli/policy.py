"""``policy explain``: what would happen after a failure, and why."""

from dataclasses import asdict
from typing import Annotated

import typer

from dispatcher.cli.output import JsonOption, print_json, results
from dispatcher.cli.tables import pairs
from dispatcher.core.retry.explain import Explanation, explain

app = typer.Typer(help="When a fax is tried again.", no_args_is_help=True)

_VERDICTS = {
    "retry": "retry: it is tried again",
    "permanent": "permanent: the job fails at once",
    "hold": "hold: sending stops until the cause is mended; nothing is spent",
    "uncertain": "uncertain: it is looked up at the provider before anything else",
}


@app.command("explain")
def explain_(
    error_type: Annotated[str, typer.Argument(metavar="TYPE", help="As in CALL_ERROR, or http for a status.")],
    error_code: Annotated[int, typer.Argument(metavar="CODE", help="The provider's code, or the HTTP status.")],
    as_json: JsonOption = False,
) -> None:
    """What would happen after this failure under the policy in use (BULKFAX_POLICY_FILE), and why."""
    from dispatcher.runtime import read_policy  # late: it costs other commands a second
    from dispatcher.settings import load_settings

    name = "http" if error_type.lower() == "http" else error_type.upper()
    explanation = explain(name, error_code, read_policy(load_settings()))
    if as_json:
        print_json(asdict(explanation))
        return
    results.print(pairs(_facts(explanation)))


def _facts(found: Explanation) -> dict[str, str]:
    known = "" if found.documented else "  (not in the table: the default of its type)"
    changed = "  (changed by your policy)" if found.changed else ""
    return {
        "failure": f"{found.error_type} {found.error_code}{known}{changed}",
        "category": found.category,
        "verdict": _VERDICTS.get(found.verdict, found.verdict),
        "in the table": found.table_verdict if found.table_verdict != found.verdict else "",
        "spends": found.spends,
        "retries after": _delays(found.delays, found.max_attempts),
        "unproven number": _delays(found.unproven_delays, found.unproven_max),
        "holds": _hold(found),
        "pages": found.pages,
        "remedies": ", ".join(f"{r.name}{'' if r.available else ' (not built yet)'}" for r in found.remedies),
        "until then": found.fallback,
        "alert": "yes" if found.alert else "",
        "why": found.why,
    }


def _hold(found: Explanation) -> str:
    if not found.scope:
        return ""
    return f"the {found.scope}" + (f", after {found.hold_after} in a row" if found.hold_after > 1 else "")


def _delays(delays: tuple[str, ...], most: int) -> str:
    if not delays:
        return ""
    return ", ".join(delays) + (f"; {most} attempts at most" if most else "")
