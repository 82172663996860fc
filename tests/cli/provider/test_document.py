"""The page about these commands describes all of them and no others."""

import re
from collections.abc import Iterator
from pathlib import Path

import typer.main

from dispatcher.cli.provider.app import app


def commands() -> Iterator[str]:
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]  # a group
        subcommands = getattr(command, "commands", None)
        yield from [name] if subcommands is None else (f"{name} {sub}" for sub in subcommands)


def test_the_page_types_every_command(repository: Path) -> None:
    text = (repository / "docs" / "provider.md").read_text(encoding="utf-8")
    typed = set(re.findall(r"bulkfax provider (check|[a-z-]+ [a-z-]+)", text))
    assert typed == set(commands())
