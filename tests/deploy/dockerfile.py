"""Reads ``deploy/Dockerfile`` and what Docker would send it: the context without what ``.dockerignore`` leaves out."""

import json
import re
import shlex
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile"


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction and its arguments as they are written, continuation lines joined."""

    name: str
    arguments: str

    @property
    def words(self) -> list[str]:
        """The arguments as a list: of the JSON form, or as a shell would split them."""
        return json.loads(self.arguments) if self.arguments.startswith("[") else shlex.split(self.arguments)


@dataclass(slots=True)
class Stage:
    """The steps from one FROM to the next."""

    name: str
    image: str
    steps: list[Instruction] = field(default_factory=list)

    def all(self, instruction: str) -> list[Instruction]:
        """Return the steps with this instruction."""
        return [step for step in self.steps if step.name == instruction]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that ENV sets, one from another."""
        variables: dict[str, str] = {}
        for step in self.all("ENV"):
            for word in step.words:
                name, _, value = word.partition("=")
                variables[name] = value
        return variables


def arguments() -> dict[str, str]:
    """Return the build arguments before the first stage, with their defaults."""
    steps = _steps()[: next(number for number, step in enumerate(_steps()) if step.name == "FROM")]
    pairs = (step.arguments.partition("=") for step in steps)
    return {name: default for name, _, default in pairs}


def stages() -> list[Stage]:
    """Return the stages in their order."""
    read: list[Stage] = []
    for step in _steps():
        if step.name == "FROM":
            image, _, name = step.arguments.partition(" AS ")
            read.append(Stage(name, image))
        elif read:
            read[-1].steps.append(step)
    return read


@cache
def _steps() -> tuple[Instruction, ...]:
    lines = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return tuple(Instruction(*line.split(" ", 1)) for line in text.splitlines() if line.strip())


def context_files(source: str) -> list[Path]:
    """Return the files of the context that a COPY of ``source`` copies, relative to the repository."""
    path = ROOT / source
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return [file.relative_to(ROOT) for file in files if not _is_ignored(file.relative_to(ROOT))]


@cache
def _ignore_rules() -> tuple[str, ...]:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _is_ignored(file: Path) -> bool:
    """Return whether the last rule that concerns a file leaves it out."""
    names = [str(file), *(str(parent) for parent in file.parents if parent.name)]
    ignored = False
    for rule in _ignore_rules():
        pattern = rule.removeprefix("!")
        short = pattern.removeprefix("**/")
        if any(fnmatch(name, pattern) or (short != pattern and fnmatch(Path(name).name, short)) for name in names):
            ignored = not rule.startswith("!")
    return ignored
