"""The code uses one word for one thing: the vocabulary of ``docs/glossary.md``."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("dispatcher", "workers")
#: the API's models mirror names of the domain, and the emulator those of the provider's client
MAY_REPEAT = (Path("dispatcher/schema"), Path("dispatcher/emulator"))

#: names of former classes, each replaced by a term of the glossary
RETIRED_CLASSES = {
    "AttemptCounters",
    "Begun",
    "Case",
    "Change",
    "Fate",
    "Follower",
    "Gate",
    "Grouped",
    "Happened",
    "HoldWanted",
    "FaxNews",
    "Keep",
    "Library",
    "Limiter",
    "LocalSite",
    "Looks",
    "Lives",
    "Mailroom",
    "Material",
    "Moody",
    "Named",
    "News",
    "Office",
    "Pace",
    "Part",
    "Parts",
    "Pass",
    "Permits",
    "Point",
    "Publication",
    "Reason",
    "Receiver",
    "Shelf",
    "Shelves",
    "Site",
    "Step",
    "Totals",
    "Upkeep",
    "Walk",
    "World",
}
#: names of former modules; ``package/module`` where the name is in use elsewhere
RETIRED_MODULES = {
    "dispatcher/api/intake",
    "dispatcher/api/limits",
    "dispatcher/api/limits_now",
    "dispatcher/cli/ledger",
    "dispatcher/cli/processes",
    "dispatcher/cli/site",
    "dispatcher/client/models",
    "dispatcher/core/clock",
    "dispatcher/core/points",
    "dispatcher/core/policy_document",
    "dispatcher/core/policy_rules",
    "dispatcher/core/reading",
    "dispatcher/emulator/answers",
    "dispatcher/emulator/chance",
    "dispatcher/emulator/gate",
    "dispatcher/emulator/life",
    "dispatcher/emulator/lists",
    "dispatcher/emulator/reading",
    "dispatcher/emulator/shelves",
    "dispatcher/emulator/times",
    "dispatcher/cli/provider/asking",
    "dispatcher/cli/provider/findings",
    "dispatcher/cli/provider/trial",
    "dispatcher/service/following",
    "dispatcher/service/gate",
    "dispatcher/service/grouping",
    "dispatcher/service/material",
    "dispatcher/service/news",
    "dispatcher/service/upkeep",
    "dispatcher/store/clock",
    "dispatcher/store/keep",
    "dispatcher/store/totals",
    "tests/chaos/acts",
    "tests/chaos/crew",
    "tests/service/mailroom",
    "tests/service/office",
    "tests/store/world",
    "tests/story/mortal",
    "workers/parts",
}
#: words that say nothing about what they name
VAGUE = {"one", "found", "told", "given", "wanted", "made", "at"}
#: names that other people's programs read, with the reason why they stay
PUBLIC_NAMES = {
    ("dispatcher/schema/responses.py", "at"): "a field of the API: when the history entry was written",
}


def sources(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """Python files of these folders, relative to the repository, and their syntax trees."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def test_no_class_name_is_defined_twice() -> None:
    places = defaultdict[str, list[Path]](list)
    for path, tree in sources(*PACKAGES):
        if not any(path.is_relative_to(folder) for folder in MAY_REPEAT):
            for node in tree.body:
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(path)
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_retired_class_names_do_not_come_back() -> None:
    classes = [
        (str(path), node.name)
        for path, tree in sources(*PACKAGES, "benchmarks", "tests")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name.lstrip("_") in RETIRED_CLASSES
    ]
    assert classes == []


@pytest.mark.parametrize("module", sorted(RETIRED_MODULES))
def test_retired_modules_do_not_come_back(module: str) -> None:
    assert not (ROOT / f"{module}.py").exists()
    assert not (ROOT / module).exists()


def defined_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Names of functions, parameters, variables and attributes that a file defines, with their lines."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name


def is_vague(name: str) -> bool:
    words = name.strip("_").split("_")
    return name.strip("_") in VAGUE or words[0].lower() in {"most", "least"}


def test_names_say_what_they_name() -> None:
    vague = [
        f"{path}:{line} {name}"
        for path, tree in sources(*PACKAGES, "benchmarks", "tests")
        for line, name in defined_names(tree)
        if is_vague(name) and (path.as_posix(), name) not in PUBLIC_NAMES
    ]
    assert vague == []
