"""Who may import whom, as data; the reasons are in the design of the packages."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = {"dispatcher.core", "dispatcher.settings", "dispatcher.logs"}

#: What each of our packages and top modules may import of ours, besides itself.
ALLOWED = {
    "dispatcher.core": set[str](),
    "dispatcher.settings": {"dispatcher.core"},
    "dispatcher.logs": {"dispatcher.core", "dispatcher.settings"},
    "dispatcher.sinch": {"dispatcher.core"},
    "dispatcher.store": {"dispatcher.core"},
    "dispatcher.recipients": {"dispatcher.core"},
    "dispatcher.emulator": set[str](),
    "dispatcher.schema": {"dispatcher.core"},
    "dispatcher.client": {"dispatcher.core", "dispatcher.schema"},
    "dispatcher.service": SHARED | {"dispatcher.sinch", "dispatcher.store"},
    # An observer: it reads what the service reports and what the store counts, and neither knows it.
    "dispatcher.metrics": SHARED | {"dispatcher.service", "dispatcher.store"},
    "dispatcher.runtime": SHARED | {"dispatcher.sinch", "dispatcher.store", "dispatcher.service", "dispatcher.metrics"},
    "dispatcher.api": SHARED
    | {"dispatcher.schema", "dispatcher.service", "dispatcher.runtime", "dispatcher.metrics", "dispatcher.recipients"},
    "workers": SHARED | {"dispatcher.service", "dispatcher.runtime", "dispatcher.metrics"},
    # Runs services as processes and asks them over HTTP, so it imports nothing of what runs inside them.
    "dispatcher.local": {"dispatcher.client"},
    "dispatcher.cli": SHARED | {"dispatcher.client", "dispatcher.local"},
}

#: What single commands import besides that, because they do not go through the API: package or module -> packages.
ALSO_ALLOWED = {
    # the three services themselves
    "dispatcher.cli.services": {"dispatcher.api", "dispatcher.runtime", "workers"},
    # examine the store, which must work while web does not
    "dispatcher.cli.doctor": {"dispatcher.runtime", "dispatcher.service", "dispatcher.store"},
    "dispatcher.cli.store_access": {"dispatcher.runtime", "dispatcher.store"},
    # explains the policy file of this machine
    "dispatcher.cli.policy": {"dispatcher.runtime"},
    # show and change what the provider holds, which our API does not
    "dispatcher.cli.provider": {"dispatcher.runtime", "dispatcher.sinch"},
}

#: Where a third-party package may be imported; nowhere else.
CONFINED = {
    "dramatiq": {"workers"},
    "redis": {"dispatcher.store", "dispatcher.runtime"},
    "httpx": {"dispatcher.sinch", "dispatcher.client", "dispatcher.emulator", "dispatcher.runtime"},
}


def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    files = (file for package in ("dispatcher", "workers") for file in (ROOT / package).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


MODULES = modules()


def unit(module: str) -> str:
    """The package or top module that a module belongs to: ``dispatcher.store.keys`` is of ``dispatcher.store``."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "dispatcher" else parts[0]


def imports(module: str) -> Iterator[str]:
    """Dotted names of everything that a module imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            package = node.module or ""
            # from dispatcher import settings: the module is what is imported
            yield from ([f"{package}.{name.name}" for name in node.names] if package == "dispatcher" else [package])


def is_ours(name: str) -> bool:
    return name.split(".")[0] in ("dispatcher", "workers")


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_its_layer_may(module: str) -> None:
    ours = {unit(name) for name in imports(module) if is_ours(name)} - {unit(module), "dispatcher"}
    if module == "dispatcher":
        return
    more = (names for prefix, names in ALSO_ALLOWED.items() if f"{module}.".startswith(f"{prefix}."))
    assert ours <= ALLOWED[unit(module)].union(*more)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_confined_package_is_imported_only_where_it_may(module: str) -> None:
    for name in imports(module):
        assert unit(module) in CONFINED.get(name.split(".")[0], {unit(module)}), f"{module} imports {name}"


@pytest.mark.parametrize("module", sorted(name for name in MODULES if unit(name) == "dispatcher.core"))
def test_the_core_imports_the_standard_library_only(module: str) -> None:
    foreign = {name.split(".")[0] for name in imports(module) if not is_ours(name)} - sys.stdlib_module_names
    assert not foreign


#: Modules through which a decision could reach the clock, chance, the log, the outside world or an event loop.
IMPURE = {"time", "random", "secrets", "logging", "os", "socket", "asyncio", "subprocess", "threading", "pathlib", "io"}


@pytest.mark.parametrize("module", sorted(name for name in MODULES if unit(name) == "dispatcher.core"))
def test_the_core_knows_no_clock_chance_log_or_system(module: str) -> None:
    assert not {name.split(".")[0] for name in imports(module)} & IMPURE


def test_every_package_has_a_rule() -> None:
    assert {unit(module) for module in MODULES} - {"dispatcher"} <= set(ALLOWED)
