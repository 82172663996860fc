"""Options that start a batch only in part."""

from typing import Annotated, Any, NamedTuple

import typer

from dispatcher.cli.option_groups import with_options


class PartOptions(NamedTuple):
    """How much of a batch begins. The rest begins with ``batches continue``."""

    first: Annotated[
        int | None, typer.Option(min=1, help="Begin with so many jobs; the rest waits for `batches continue`.")
    ] = None
    percent: Annotated[
        float | None, typer.Option(min=0.000001, max=100, help="The same as a share of the jobs, as in 1 for 1 %.")
    ] = None

    def fields(self) -> dict[str, Any]:
        """Return what is named. Raises typer.BadParameter (exit status 2) if both are."""
        if self.first is not None and self.percent is not None:
            raise typer.BadParameter("name --first or --percent, not both", param_hint="--percent")
        return {name: value for name, value in self._asdict().items() if value is not None}


#: gives a command the options of ``PartOptions``; it gets them as its parameter ``part``
with_part_options = with_options("part", PartOptions)
