"""What the command's tests share: running it in this process, and a cluster with all processes."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dispatcher.cli.main import run
from dispatcher.local.cluster import LocalCluster, scenario_cluster


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left: its exit status, and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.out.splitlines()[-1]


Bulkfax = Callable[..., Ran]


@pytest.fixture
def bulkfax(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Bulkfax:
    """Runs the command as its entry point does, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def bulkfax(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["bulkfax", *map(str, arguments)])
        status: object = 0
        try:
            run()
        except SystemExit as ended:
            status = ended.code or 0
        assert isinstance(status, int)
        return Ran(status, *capsys.readouterr())

    return bulkfax


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[LocalCluster]:
    """Redis, emulator, web, scheduler and worker, all for real; every fax arrives within a moment."""
    examples = repository / "examples"
    folder = tmp_path_factory.mktemp("cluster")
    scenario, policy = examples / "scenarios" / "all-well.toml", examples / "fast-policy.toml"
    with scenario_cluster(folder, scenario=scenario, policy=policy, rate=200, speed=30) as cluster:
        yield cluster


@pytest.fixture
def connected(bulkfax: Bulkfax, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> Bulkfax:
    """The command, pointed at the cluster."""
    for name, value in cluster.env.items():
        if name.startswith("BULKFAX_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("BULKFAX_API_URL", cluster.url)
    monkeypatch.setenv("BULKFAX_API_KEY", cluster.env["BULKFAX_API_KEYS"])
    return bulkfax
