"""Where the reference implementations of the scripts are used."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "dispatcher" / "core" / "reference"


def test_only_tests_import_the_reference_implementations() -> None:
    """The scripts decide in production; a second decision in Python would differ from theirs some day."""
    files = [file for package in ("dispatcher", "workers") for file in (ROOT / package).rglob("*.py")]
    importers = [
        file.name
        for file in files
        if REFERENCE not in file.parents
        and re.search(r"^(from|import) dispatcher\.core\.reference\b", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert importers == []
