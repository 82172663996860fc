"""Prometheus' own programs, which the tests of alerts run."""

import os

import pytest

from benchmarks.monitoring import MissingProgram, program


def prometheus_program(name: str) -> str:
    """The path of a program. Where it is missing the test is skipped, but not in CI: there it fails."""
    try:
        return program(name)
    except MissingProgram as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


def need_monitoring() -> None:
    """Skip the test, or fail in CI, where Prometheus and Alertmanager are missing."""
    for name in ("prometheus", "alertmanager"):
        prometheus_program(name)
