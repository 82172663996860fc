"""Tests of the repository: its files, what they must not contain, and the length of functions."""

import ast
import os
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from statistics import median

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent

#: limits for functions outside the tests in lines: all, 95 % and half of them
MAX_FUNCTION = 60
USUAL_FUNCTION = 40
MEDIAN_FUNCTION = 10

REQUIRED = (
    *("README.md", "LICENSE", "CHANGELOG.md", "Procfile", "pyproject.toml", "requirements.lock", "run", ".ci/run"),
    *("dispatcher/core", "dispatcher/sinch", "dispatcher/store", "dispatcher/api", "dispatcher/client"),
    *(
        "dispatcher/recipients",
        "dispatcher/local",
        "dispatcher/emulator",
        "dispatcher/cli",
        "workers",
        "tests",
        "benchmarks",
        "docs",
        "examples",
    ),
)

#: addresses of package registries, and folders of development machines. Split, because this file is searched as well
FORBIDDEN = re.compile(
    r"pypi\.or" r"g|pythonhosted\.or" r"g|registry\.npmj" r"s|proxy\.golan" r"g|crates\.i" r"o"
    r"|file:/" r"//|--(?:extra-)?index-ur" r"l|(?<![\w./-])/(?:root|work)/\w"
)  # fmt: skip


@cache
def tracked_files() -> tuple[Path, ...]:
    """Return all text files of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = (ROOT / name.decode() for name in listed.stdout.split(b"\0") if name)
    return tuple(file for file in files if file.is_file() and b"\0" not in file.read_bytes()[:1024])


def lock() -> list[str]:
    """Return the entries of the lock file, each as one line with requirement and hashes."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("name", REQUIRED)
def test_every_required_file_and_folder_exists(name: str) -> None:
    assert (ROOT / name).exists()


@pytest.mark.parametrize("name", ["run", ".ci/run", "deploy/pin"])
def test_scripts_can_be_executed(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)


def test_the_licence_is_complete() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_every_locked_package_has_one_version_and_hashes() -> None:
    for entry in lock():
        assert re.match(r"[a-z0-9-]+(\[[a-z,-]+\])?==\S+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def test_the_lock_file_names_no_address() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_the_lock_file_satisfies_the_requirements_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    required = [*project["dependencies"], *(requirement for extra in extras for requirement in extra)]
    locked = {}
    for entry in lock():
        name, version = re.split(r"\[.*?\]==|==", entry.split()[0])
        locked[name] = version
    for requirement in map(Requirement, required):
        assert requirement.specifier.contains(locked[requirement.name.lower()]), requirement


def test_no_file_names_a_registry_or_a_machine() -> None:
    matches = [
        f"{file.relative_to(ROOT)}: {match.group()}"
        for file in tracked_files()
        for match in FORBIDDEN.finditer(file.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not matches


def function_lengths() -> dict[str, int]:
    """Return the number of lines of every function outside the tests, by file and name."""
    lengths = {}
    for package in ("dispatcher", "workers", "benchmarks", "grafana", "examples"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                    name = f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"
                    lengths[name] = node.end_lineno - node.lineno + 1
    return lengths


def test_no_function_is_long() -> None:
    assert not {name: lines for name, lines in function_lengths().items() if lines > MAX_FUNCTION}


def test_most_functions_are_short() -> None:
    lengths = sorted(function_lengths().values())
    assert median(lengths) < MEDIAN_FUNCTION
    assert lengths[len(lengths) * 95 // 100] < USUAL_FUNCTION


def test_the_run_script_shows_its_usage_without_arguments() -> None:
    result = subprocess.run(["./run"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(f"\n  {command} " in result.stdout for command in ("demo", "test", "bench", "chaos", "fmt"))


def test_the_run_script_refuses_an_unknown_command() -> None:
    result = subprocess.run(["./run", "dance"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "Usage" in result.stderr
