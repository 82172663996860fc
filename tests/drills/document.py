"""Writes ``docs/on-call.md`` from what the drills printed."""

import re
from collections.abc import Sequence

from tests.drills.run import Result

_HEAD = """# On call

One command says why a batch does not get on, and names the command that puts it right:

    bulkfax batches why BATCH

`bulkfax status` shows all batches that run, the processes and the provider in one table. What each alert means is in
the [runbook](runbook.md).

`./run drills` provokes every cause below with the emulator, checks that `batches why` names it first, and types the
command that it prints. Words in capital letters stand for what bulkfax cannot know, such as YOUR-NUMBER or LETTER.pdf;
the command line refuses them as they are. `./run drills --write` writes this page: all output is real, from a
terminal of 80 columns. Delays are those of a policy for drills.

A cause that lies outside (the account, the provider, the network) is mended there first. Then bulkfax goes on by itself
with its next probe; the command makes it go on at once.
"""


def page(results: Sequence[Result]) -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, _table(results), *map(_section, results)])


def _table(results: Sequence[Result]) -> str:
    rows = [
        "| what is wrong | commands until it is known | commands until it is put right |",
        "|---|---|---|",
        *(
            f"| [{result.drill.title}](#{_anchor(result.drill.title)}) | 1 | {_commands(result)} |"
            for result in results
        ),
    ]
    return "\n".join([*rows, ""])


def _commands(result: Result) -> str:
    return str(len(result.mended)) if result.mended else "0: it ends by itself"


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def _section(result: Result) -> str:
    drill = result.drill
    parts = [f"## {drill.title}", drill.story, _console(result.asked.command, result.asked.text)]
    if drill.outside:
        parts.append(drill.outside)
    for position, typed in enumerate(result.mended):
        parts += [drill.filled_in] if position else []
        parts.append(_console(typed.command, typed.text))
    return "\n\n".join([*parts, ""])


def _console(command: str, text: str) -> str:
    return "\n".join(["```console", f"$ {command}", text.rstrip(), "```"])
