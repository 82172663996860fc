"""Runs a drill: provokes its cause, asks why, and types the command that is printed."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.drills.drills import Drill
from tests.drills.stage import DrillFailed, Stage, Typed

#: seconds until a cause is named, and until it is put right
_NAMED_S, _RIGHT_S = 30.0, 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was typed in a drill, and how long it took to be put right."""

    drill: Drill
    asked: Typed
    #: what put it right; empty if it ends by itself
    mended: tuple[Typed, ...]
    seconds: float


def run_drill(drill: Drill, stage: Stage) -> Result:
    """Run a drill. Raises DrillFailed."""
    batch = drill.provoke(stage)
    stage.wait(lambda: _named(drill, stage, batch), _NAMED_S, f"{drill.name} is not named first")
    asked = stage.type(f"bulkfax batches why {batch}")
    finding = stage.client.diagnosis(batch).findings[0]
    # behind the colon are figures that change meanwhile
    if finding.sentence.partition(":")[0] not in " ".join(asked.text.split()):
        raise DrillFailed(f"{drill.name}: `batches why` says something else: {asked.text}")
    drill.mend(stage)
    began_s = time.monotonic()
    mended = () if drill.ends_by_itself else _put_right(drill, stage, finding.commands, asked)
    stage.wait(lambda: drill.is_right(stage, batch), _RIGHT_S, f"{drill.name} is not put right by {mended}")
    result = Result(drill=drill, asked=asked, mended=mended, seconds=time.monotonic() - began_s)
    stage.clear()
    return result


def _named(drill: Drill, stage: Stage, batch: str) -> bool:
    return stage.client.diagnosis(batch).findings[0].cause == drill.cause


def _put_right(drill: Drill, stage: Stage, commands: Sequence[str], asked: Typed) -> tuple[Typed, ...]:
    """Type the first command; if the second has a placeholder, that too, with what the first one names."""
    first = _type(drill, stage, commands[0], asked)
    if not drill.placeholder:
        return (first,)
    _ensure_printed(drill, commands[1], asked)
    number = re.search(r"\+[0-9]+", first.text)
    if stage.type(commands[1]).status == 0 or not number:
        raise DrillFailed(f"{drill.name}: {commands[1]} is taken as it stands, or {commands[0]} names no number")
    return first, _done(drill, stage, commands[1].replace(drill.placeholder, number[0]))


def _type(drill: Drill, stage: Stage, command: str, asked: Typed) -> Typed:
    """Type a command as it was printed."""
    _ensure_printed(drill, command, asked)
    return stage.type_and_leave(command) if drill.starts_service else _done(drill, stage, command)


def _ensure_printed(drill: Drill, command: str, asked: Typed) -> None:
    if f"      {command}\n" not in f"{asked.text}\n":
        raise DrillFailed(f"{drill.name}: the command is not printed on a line of its own: {asked.text}")


def _done(drill: Drill, stage: Stage, command: str) -> Typed:
    typed = stage.type(command)
    if typed.status != 0:
        raise DrillFailed(f"{drill.name}: {command} ended with {typed.status}: {typed.text}")
    return typed
