"""Tests that every option of a mailing reaches the provider, from the command line to the fax."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dispatcher.core.public_address import address_fault
from tests.story.conftest import StoryCluster

pytestmark = pytest.mark.story

#: whether bulkfax has no public URL from which the provider fetches documents
DOCUMENT_MODES = {"fetched": False, "encoded": True}


@pytest.fixture(scope="module", params=DOCUMENT_MODES, ids=lambda mode: f"documents {mode}")
def polling(request: pytest.FixtureRequest) -> bool:
    """Run the tests with and without a public URL."""
    return DOCUMENT_MODES[request.param]


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Do not log requests."""


@pytest.fixture(scope="module")
def letter_url(repository: Path) -> Iterator[str]:
    """URL of the example letter on another web server, by this machine's name: the API takes no private address."""
    handler = partial(_QuietHandler, directory=str(repository / "examples"))
    name = socket.gethostname()
    if fault := address_fault(f"http://{name}/letter.pdf"):
        pytest.skip(f"this machine's name cannot stand for the provider's network: {fault}")
    with ThreadingHTTPServer((socket.gethostbyname(name), 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{name}:{server.server_address[1]}/letter.pdf"
        server.shutdown()
        thread.join()


def bulkfax(cluster: StoryCluster, *words: str) -> dict[str, Any]:
    """Run a command in a process, and return its JSON output."""
    key = cluster.local.env["BULKFAX_API_KEYS"]
    env = cluster.local.env | {"BULKFAX_API_URL": cluster.local.url, "BULKFAX_API_KEY": key}
    command = [sys.executable, "-m", "dispatcher.cli", *words, "--json"]
    done = subprocess.run(command, env=env, cwd=cluster.local.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    output: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return output


@pytest.fixture(scope="module")
def faxes(cluster: StoryCluster, repository: Path, letter_url: str) -> dict[str, dict[str, Any]]:
    """The faxes of a mailing with every option, as the provider stores them, by number."""
    letter = repository / "examples" / "letter.pdf"
    terms = cluster.local.folder / "terms.pdf"
    terms.write_bytes(letter.read_bytes() + b"\n%%EOF\n")
    service = bulkfax(cluster, "provider", "services", "create", "name=Letters", "resolution=FINE")["id"]
    cover = bulkfax(cluster, "provider", "cover-pages", "create", "Cover", str(letter), "--service", service)["id"]
    recipients = cluster.local.folder / "recipients.csv"
    recipients.write_text("Fax,Ref,Name,City\n+12025550100,A1,Ann Example,Bath\n+442079460101,A2,Bo Example,\n")
    batch = bulkfax(
        cluster,
        "send",
        *(str(letter), str(terms), str(recipients), "--document-url", letter_url, "--watch"),
        *("--sender", "+12025550199", "--service", service, "--header-text", "Example Ltd"),
        *("--no-page-numbers", "--time-zone", "Europe/Berlin", "--resolution", "SUPERFINE"),
        *("--image-conversion", "MONOCHROME", "--cover-page", cover),
        *("--cover-field", "Subject=Spring", "--cover-field", "city=Everywhere"),
    )
    assert batch["counts"]["delivered"] == 2
    stored = bulkfax(cluster, "provider", "faxes", "list", "--service", service)["faxes"]
    assert sorted(fax["id"] for fax in stored) == sorted(job.fax_id or "" for job in cluster.jobs(batch["id"]).values())
    return {fax["to"]: {**fax, "expected": {"serviceId": service, "coverPageId": cover}} for fax in stored}


def test_every_option_is_on_the_fax(faxes: dict[str, dict[str, Any]]) -> None:
    fax = faxes["+12025550100"]
    expected = {
        "from": "+12025550199",
        "headerText": "Example Ltd",
        "headerPageNumbers": False,
        "headerTimeZone": "Europe/Berlin",
        "resolution": "SUPERFINE",
        "imageConversionMethod": "MONOCHROME",
        "maxRetries": 0,
        **fax["expected"],
    }
    assert {name: fax[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("number", "filled"),
    [
        ("+12025550100", {"subject": "Spring", "city": "Bath", "name": "Ann Example"}),
        ("+442079460101", {"subject": "Spring", "city": "Everywhere", "name": "Bo Example"}),
    ],
)
def test_each_cover_page_is_filled_from_its_own_row_with_names_in_lower_case(
    faxes: dict[str, dict[str, Any]], number: str, filled: dict[str, str]
) -> None:
    assert faxes[number]["coverPageData"] == filled


def test_the_document_of_the_url_comes_before_the_uploaded_ones(
    cluster: StoryCluster, faxes: dict[str, dict[str, Any]], letter_url: str
) -> None:
    urls = faxes["+12025550100"]["contentUrl"]
    uploaded = [url for url in urls if url.startswith(cluster.local.url)]
    assert urls == [letter_url, *uploaded]
    assert len(uploaded) == (2 if cluster.local.env["BULKFAX_PUBLIC_URL"] else 0)


def test_cover_page_and_all_documents_are_pages_of_one_fax(faxes: dict[str, dict[str, Any]]) -> None:
    cover, by_url, first, second = 2, 2, 2, 2
    assert {fax["pagesSentSuccessfully"] for fax in faxes.values()} == {cover + by_url + first + second}
