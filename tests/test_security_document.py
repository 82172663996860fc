"""``docs/security.md`` names the tests that show what it says. They have to exist."""

import re
from pathlib import Path

import pytest

DOCUMENT = (Path(__file__).parent.parent / "docs" / "security.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:tests|core|api|sinch)/[\w/]+\.py)`", DOCUMENT))))
def test_a_file_that_the_security_document_names_exists(repository: Path, name: str) -> None:
    assert (repository / name).is_file() or (repository / "dispatcher" / name).is_file()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", DOCUMENT))))
def test_a_test_that_the_security_document_names_exists(repository: Path, name: str) -> None:
    assert any(f"def {name}(" in file.read_text(encoding="utf-8") for file in (repository / "tests").rglob("test_*.py"))
