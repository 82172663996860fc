"""Tests which packages may import which others. ``docs/architecture.md`` explains the layers."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = {
    *("dispatcher.core", "dispatcher.cpu_thread", "dispatcher.child_process", "dispatcher.settings", "dispatcher.logs"),
    "dispatcher.alive",
}

#: which packages and modules of bulkfax each package or top-level module may import, besides itself
ALLOWED = {
    "dispatcher.core": set[str](),
    "dispatcher.cpu_thread": set[str](),
    "dispatcher.child_process": set[str](),
    # runs in child processes
    "dispatcher.documents": {"dispatcher.core"},
    "dispatcher.settings": {"dispatcher.core"},
    "dispatcher.logs": {"dispatcher.core", "dispatcher.settings"},
    "dispatcher.alive": {"dispatcher.settings"},
    "dispatcher.sinch": {"dispatcher.core"},
    "dispatcher.store": {"dispatcher.core", "dispatcher.cpu_thread"},
    "dispatcher.webhooks": {"dispatcher.core"},
    "dispatcher.recipients": {"dispatcher.core"},
    "dispatcher.example_files": set[str](),
    "dispatcher.emulator": {"dispatcher.example_files"},
    "dispatcher.schema": {"dispatcher.core"},
    "dispatcher.client": {"dispatcher.core", "dispatcher.schema"},
    "dispatcher.service": SHARED | {"dispatcher.sinch", "dispatcher.store", "dispatcher.webhooks"},
    # metrics observes: it reads from service, sinch and store, and none of them imports it
    "dispatcher.metrics": SHARED | {"dispatcher.service", "dispatcher.sinch", "dispatcher.store"},
    "dispatcher.runtime": SHARED
    | {
        *("dispatcher.sinch", "dispatcher.store", "dispatcher.service", "dispatcher.metrics", "dispatcher.webhooks"),
    },
    "dispatcher.api": SHARED
    | {"dispatcher.schema", "dispatcher.service", "dispatcher.runtime", "dispatcher.metrics", "dispatcher.recipients"},
    "workers": SHARED | {"dispatcher.service", "dispatcher.runtime", "dispatcher.metrics"},
    # starts services as processes and calls them over HTTP, so it imports no code that runs inside them
    "dispatcher.local": {"dispatcher.client"},
    "dispatcher.cli": SHARED | {"dispatcher.client", "dispatcher.local", "dispatcher.example_files"},
}

#: by package or module: what commands that do not use the API may import in addition
ALSO_ALLOWED = {
    # starts the three services
    "dispatcher.cli.services": {"dispatcher.api", "dispatcher.runtime", "workers"},
    # examines the store, also while the web process does not run
    "dispatcher.cli.doctor": {"dispatcher.runtime", "dispatcher.service", "dispatcher.store"},
    "dispatcher.cli.store_access": {"dispatcher.runtime", "dispatcher.store"},
    # explains the policy file of this machine
    "dispatcher.cli.policy": {"dispatcher.runtime"},
    # shows and changes resources of the provider, such as services and numbers, which bulkfax's API does not have
    "dispatcher.cli.provider": {"dispatcher.runtime", "dispatcher.sinch"},
}

#: the only packages that may import a third-party package
CONFINED = {
    "dramatiq": {"workers"},
    "redis": {"dispatcher.store", "dispatcher.runtime"},
    "standardwebhooks": {"dispatcher.webhooks"},
    "pikepdf": {"dispatcher.documents", "dispatcher.emulator"},
    "pypdfium2": {"dispatcher.documents"},
    "PIL": {"dispatcher.documents"},
    "httpx": {"dispatcher.sinch", "dispatcher.client", "dispatcher.emulator", "dispatcher.runtime"},
}


def modules() -> dict[str, Path]:
    """Return the files of all modules by dotted name."""
    files = (file for package in ("dispatcher", "workers") for file in (ROOT / package).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


MODULES = modules()


def unit(module: str) -> str:
    """Return the package or top-level module of a module: ``dispatcher.store`` for ``dispatcher.store.keys``."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "dispatcher" else parts[0]


def imports(module: str) -> Iterator[str]:
    """Yield the dotted names of all imports in a module, including those inside functions."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            package = node.module or ""
            # ``from dispatcher import settings`` imports the module
            yield from ([f"{package}.{name.name}" for name in node.names] if package == "dispatcher" else [package])


def is_internal(name: str) -> bool:
    """Return whether a module is part of bulkfax."""
    return name.split(".")[0] in ("dispatcher", "workers")


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_its_layer_may(module: str) -> None:
    imported = {unit(name) for name in imports(module) if is_internal(name)} - {unit(module), "dispatcher"}
    if module == "dispatcher":
        return
    more = (names for prefix, names in ALSO_ALLOWED.items() if f"{module}.".startswith(f"{prefix}."))
    assert imported <= ALLOWED[unit(module)].union(*more)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_confined_package_is_imported_only_where_it_may(module: str) -> None:
    for name in imports(module):
        assert unit(module) in CONFINED.get(name.split(".")[0], {unit(module)}), f"{module} imports {name}"


@pytest.mark.parametrize("module", sorted(name for name in MODULES if unit(name) == "dispatcher.core"))
def test_the_core_imports_the_standard_library_only(module: str) -> None:
    foreign = {name.split(".")[0] for name in imports(module) if not is_internal(name)} - sys.stdlib_module_names
    assert not foreign


#: modules that give access to clock, random numbers, log, system or event loop
IMPURE = {"time", "random", "secrets", "logging", "os", "socket", "asyncio", "subprocess", "threading", "pathlib", "io"}


@pytest.mark.parametrize("module", sorted(name for name in MODULES if unit(name) == "dispatcher.core"))
def test_the_core_uses_no_clock_random_numbers_log_or_system(module: str) -> None:
    assert not {name.split(".")[0] for name in imports(module)} & IMPURE


def test_every_package_has_a_rule() -> None:
    assert {unit(module) for module in MODULES} - {"dispatcher"} <= set(ALLOWED)
