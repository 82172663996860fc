"""Fixtures: the tools that ``./run deployment`` installs."""

import os
import sys
from pathlib import Path

import pytest

TOOLS = Path(sys.prefix) / "deployment" / "bin"


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder of the tools. Where they are not installed, tests that need them are skipped, or fail in CI."""
    if not (TOOLS.parent / "installed").is_file():
        text = "run ./run deployment: it installs Helm's engine, schemas and linters"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)
    return TOOLS
