"""``doctor``: checks the Redis settings, and whether stored jobs, counts, locks, holds and callbacks are consistent."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli.output import JsonOption, print_json, results, styled
from dispatcher.cli.progress import counting
from dispatcher.cli.tables import table
from dispatcher.settings import Settings

if TYPE_CHECKING:
    from rich.text import Text

    from dispatcher.service.doctor import Finding
    from dispatcher.store.store import Store


def doctor(
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            help="Repair misplaced jobs, wrong counts, leftover locks of numbers and ended holds; retry callbacks; "
            "remove keys of batches that are gone.",
        ),
    ] = False,
    provider: Annotated[
        bool,
        typer.Option(
            "--provider",
            help="Also ask the provider for attempts that it accepted twice. This uses a part of the rate limit.",
        ),
    ] = False,
    hours: Annotated[
        float, typer.Option(help="With --provider: how many hours back to look.", min=0.1, max=24 * 90)
    ] = 24.0,
    as_json: JsonOption = False,
) -> None:
    """Check Redis and the data of bulkfax in it. The exit status is 1 if something is wrong and was not repaired."""
    from dispatcher.cli.store_access import settings_with_redis  # late: it costs other commands a second

    findings = asyncio.run(_examine(settings_with_redis(), fix, hours if provider else None))
    healthy = all(finding.ok or finding.fixed for finding in findings)
    if as_json:
        print_json({"ok": healthy, "findings": [asdict(finding) for finding in findings]})
    else:
        _show(findings, fix=fix)
    if not healthy:
        raise typer.Exit(1)


async def _examine(settings: Settings, fix: bool, provider_hours: float | None) -> "Sequence[Finding]":
    from dispatcher.runtime import check_broker, open_store
    from dispatcher.service.doctor import examine

    await check_broker(settings)
    async with open_store(settings) as store:
        with counting("blocks of 1,000 rows") as bar:
            task = bar.add_task("examining", total=None)
            findings = await examine(
                store, fix=fix, progress=lambda done, total: bar.update(task, completed=done, total=total)
            )
        if provider_hours is None:
            return findings
        return [*findings, await _examine_provider(settings, store, provider_hours)]


async def _examine_provider(settings: Settings, store: "Store", hours: float) -> "Finding":
    """Examine the provider's list of faxes. These reads count against the rate limit like all others."""
    from dispatcher.runtime import open_faxes
    from dispatcher.service.doctor import examine_provider

    now_ms = await store.clock.now_ms()
    async with open_faxes(settings, store) as faxes:
        return await examine_provider(faxes.slices(now_ms - round(hours * 3_600_000), now_ms), hours)


def _mark(finding: "Finding") -> "Text":
    if finding.ok:
        return styled("ok", "green") if finding.verified else styled("unverified", "yellow")
    return styled("fixed", "yellow") if finding.fixed else styled("wrong", "red")


def _show(findings: "Sequence[Finding]", *, fix: bool) -> None:
    grid = table("", "check", "finding", prose=["finding"])
    for finding in findings:
        mark = _mark(finding)
        grid.add_row(mark, finding.check, "\n".join([finding.text, *finding.details]))
    results.print(grid)
    if not fix and not all(finding.ok for finding in findings):
        results.print(
            "`bulkfax doctor --fix` repairs misplaced jobs, counts, locks of numbers, holds, callbacks set aside, the "
            "list of batches and orphan keys. For the other checks, do what the finding says."
        )
