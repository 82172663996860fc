"""The fixture of the simulation: a Redis server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.local.errors import ServerNotStarted
from tests.simulation.many import ephemeral_server


@pytest.fixture(scope="session")
def simulated_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Redis server for histories. It writes nothing to disk."""
    folder: Path = tmp_path_factory.mktemp("simulated")
    try:
        with ephemeral_server(folder) as url:
            yield url
    except ServerNotStarted as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
