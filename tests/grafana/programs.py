"""The programs of Prometheus that the tests of alerts run."""

import os

import pytest

from benchmarks.monitoring import MissingProgram, program


def prometheus_program(name: str) -> str:
    """Return the path of a program. Without the program the test is skipped, or fails in CI."""
    try:
        return program(name)
    except MissingProgram as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def require_monitoring() -> None:
    """Skip the test without Prometheus and Alertmanager, or fail in CI."""
    for name in ("prometheus", "alertmanager"):
        prometheus_program(name)
