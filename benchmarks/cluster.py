"""Shared code of the benchmarks that run real processes: the local cluster, drafts of batches, and commands."""

import json
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchFailed
from benchmarks.processor import cpu_s
from benchmarks.setting import Setting
from dispatcher.client import Batch, Client, NewBatch
from dispatcher.local.cluster import LocalCluster
from dispatcher.local.services import SERVICES, environment_without_settings

START_S = 60.0
#: URL of a document, which the emulator does not fetch in benchmarks
DOCUMENT_URL = "https://documents.example.com/letter.pdf"


def bench_cluster(
    folder: Path,
    *,
    services: Sequence[str] = SERVICES,
    emulator_options: Sequence[str] = (),
    emulator: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> LocalCluster:
    """Return a cluster for a benchmark: it logs warnings only, fetches no documents, and restarts no process.

    The arguments are those of ``LocalCluster``.
    """
    return LocalCluster(
        folder,
        services=services,
        emulator_options=["--no-fetch", *emulator_options],
        emulator=emulator,
        settings={**_REPOSITORY, "BULKFAX_LOG_LEVEL": "warning", **(settings or {})},
        restarts=False,
    )


#: environment variable that passes the secret of an account to a child process
KEY_VARIABLE = "BENCH_KEY_SECRET"


def credentials(cluster: LocalCluster) -> tuple[str, str]:
    """Return the key id and the secret of the emulated account."""
    return cluster.account["key"], cluster.account["secret"]


def cluster_cpu_s(cluster: LocalCluster, *names: str) -> float:
    """Return the CPU seconds used so far by services, by ``emulator`` or by ``redis``."""
    return sum(cpu_s(cluster.pid(name)) for name in names)


def accepted_at_s(cluster: LocalCluster) -> list[float]:
    """Return the times at which the emulator accepted faxes, in seconds since 1970, in ascending order."""
    return [fax.accepted_ms / 1000 for fax in cluster.emulator_api.ledger()]


#: lets every process import the modules of this repository
_REPOSITORY = {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}


def clean_environment() -> dict[str, str]:
    """Return the environment without the user's settings. Modules of this repository can be imported in it."""
    return environment_without_settings() | _REPOSITORY


def read_json(url: str, body: object = None) -> Any:
    """Send a GET request, or a POST request if there is a body, and return the JSON of the response."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def fill_suppressions(client: Client, setting: Setting) -> None:
    """Import the entries of the do-not-fax list that the setting asks for: numbers that no list of a benchmark has."""
    if not setting.suppressions:
        return
    path = setting.folder / "do-not-fax.csv"
    if not path.exists():
        numbers = (f"+4930{20_000_000 + index}\n" for index in range(setting.suppressions))
        path.write_text("number\n" + "".join(numbers))
    answer = client.import_suppressions(path)
    if answer.added != setting.suppressions:
        raise BenchFailed(f"of {setting.suppressions:,} entries of the do-not-fax list {answer.added:,} were stored")


def draft(client: Client, name: str, path: Path, *, documents: tuple[str, ...] = ()) -> Batch:
    """Create a batch with the recipients of a file. Without documents, its content is a URL."""
    urls = () if documents else (DOCUMENT_URL,)
    batch = client.create_batch(NewBatch(name=name, documents=documents, content_urls=urls))
    client.upload_recipients(batch.id, path)
    return client.batch(batch.id)


def module(name: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this repository."""
    return [sys.executable, "-m", name, *arguments]
