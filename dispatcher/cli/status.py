"""``status``: shows all that runs in one table that renews itself: processes, provider, holds, batches."""

import time
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table

from dispatcher.cli.hold_lines import hold_line
from dispatcher.cli.output import JsonOption, print_json, results, styled
from dispatcher.cli.tables import age, limited_by_text, pairs, rate_text, table, when
from dispatcher.client import Batch, Client, Status
from dispatcher.core.counted import counted, percent

#: seconds between two requests
_LOOK_S = 1.0
#: holds that are shown; `holds list` has all
_HOLDS_SHOWN = 5


def status(
    once: Annotated[bool, typer.Option("--once", help="Print it once, as without a terminal.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show all that runs in one live table: processes, provider, rate, holds, batches. Ctrl-C ends it, nothing else."""
    with Client.from_environment() as client:
        seen = client.status()
        if as_json:
            print_json(seen.model_dump(mode="json"))
        elif once or not results.is_terminal:
            results.print(status_picture(seen))
        else:
            _show_until_interrupted(client, seen)


def _show_until_interrupted(client: Client, seen: Status) -> None:
    with Live(status_picture(seen), console=results, refresh_per_second=4) as live:
        try:
            while True:
                time.sleep(_LOOK_S)
                live.update(status_picture(client.status()))
        except KeyboardInterrupt:
            return


def status_picture(seen: Status) -> RenderableType:
    """Return what is shown of a status, so that ids can be copied from a terminal of 80 columns."""
    parts: list[RenderableType] = [_facts(seen)]
    if seen.account.holds:
        parts += ["", *(hold_line(hold) for hold in seen.account.holds[:_HOLDS_SHOWN])]
        more = seen.account.holds_total - min(_HOLDS_SHOWN, len(seen.account.holds))
        parts.append(f"{counted(more, 'other')}, and " * bool(more) + "what ends them: bulkfax holds list")
    if seen.batches:
        parts.append(_batches(seen.batches))
    else:
        parts += ["", "No batch runs."]
    if seen.more:
        parts.append("There may be more: bulkfax batches list")
    return Group(*parts)


def _facts(seen: Status) -> Table:
    account = seen.account
    used = f", {percent(account.used_ratio)} of it used" if account.used_ratio is not None else ""
    in_flight = f"{account.in_flight or 0:,}" + (f", {account.unclear:,} of them unclear" if account.unclear else "")
    return pairs(
        {
            "at": time.strftime("%Y-%m-%d %H:%M:%S"),
            "scheduler": "runs" if seen.scheduler_alive else _absent(age(seen.scheduler_seen_at), "bulkfax scheduler"),
            "workers": f"{counted(seen.workers_alive, 'process', 'processes')} running"
            if seen.workers_alive
            else _absent(age(seen.worker_seen_at), "bulkfax worker"),
            "provider": _provider(seen),
            "rate": f"{rate_text(account)}{used}",
            "limited by": limited_by_text(account.limited_by),
            "in flight": in_flight,
            "callbacks": f"{account.inbox:,} not settled yet" if account.inbox else "",
            "drafts": f"{account.open_drafts:,}" if account.open_drafts else "",
        }
    )


def _absent(seen: str, command: str) -> str:
    return f"none runs ({f'last seen {seen}' if seen else 'never seen'}): start it with `{command}`"


def _provider(seen: Status) -> str:
    answered = age(seen.provider_answered_at)
    state = seen.provider
    if state == "waiting" and seen.account.blocked_until:
        state = f"asked to wait until {when(seen.account.blocked_until)}"
    return f"{state}, last usable answer to a send {answered or 'never'}"


def _batches(batches: tuple[Batch, ...]) -> Table:
    columns = ("batch", "state", "done", "delivered", "failed", "limited by")
    grid = table(*columns, numbers=["done", "delivered", "failed"], prose=["limited by"])
    for batch in batches:
        delivered, failed = f"{batch.counts.get('delivered', 0):,}", f"{batch.counts.get('failed', 0):,}"
        done = percent(batch.final / batch.rows) if batch.rows else ""
        state = styled(batch.state, "yellow" if batch.state in ("held", "paused") else "")
        grid.add_row(batch.id, state, done, f"{delivered}/{batch.rows:,}", failed, batch.limited_by or "")
    return grid
