"""Options of ``bulkfax send`` that go to the provider; ``tests/story/test_options.py`` follows them to the fax."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Bulkfax


@pytest.fixture
def letter(repository: Path) -> Path:
    return repository / "examples" / "letter.pdf"


@pytest.fixture
def recipients(tmp_path: Path) -> Path:
    path = tmp_path / "recipients.csv"
    path.write_text("fax,name\n+12025550101,Ann\n")
    return path


def test_a_batch_shows_its_options_and_its_documents_in_the_order_of_their_pages(
    connected: Bulkfax, letter: Path, recipients: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second.pdf"
    second.write_bytes(letter.read_bytes() + b"\n%%EOF\n")
    words = ("--sender", "+12025550199", "--no-page-numbers", "--cover-page", "01ABC", "--cover-field", "city=Bath")
    url = "https://example.com/a.pdf"
    ran = connected("send", letter, second, recipients, "--document-url", url, *words, "--draft", "--json")
    assert ran.status == 0, ran.err
    batch = json.loads(ran.last_line)
    assert (len(batch["documents"]), batch["content_urls"]) == (2, [url])
    assert batch["options"] == {
        "from": "+12025550199",
        "header_page_numbers": False,
        "cover_page_id": "01ABC",
        "cover_page_data": {"city": "Bath"},
    }
    assert "+12025550199" in connected("batches", "show", batch["id"]).out


def test_a_url_is_a_letter_too(connected: Bulkfax, recipients: Path) -> None:
    ran = connected("send", "https://example.com/a.pdf", recipients, "--draft", "--json")
    assert json.loads(ran.last_line)["content_urls"] == ["https://example.com/a.pdf"]


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--sender", "0202 555"), "--sender"),
        (("--header-text", "x" * 51), "--header-text"),
        (("--time-zone", "Mars/Olympus"), "--time-zone"),
        (("--cover-field", "city=Bath"), "--cover-field"),
        (("--document-url", "ftp://example.com/a.pdf"), "--document-url"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_name_before_a_batch_is_made(
    connected: Bulkfax, letter: Path, recipients: Path, words: tuple[str, ...], option: str
) -> None:
    ran = connected("send", letter, recipients, "--name", "refused", *words)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.count(f"{option}: ") == 1
    batches = json.loads(connected("batches", "list", "--limit", "100", "--json").last_line)["batches"]
    assert "refused" not in [batch["name"] for batch in batches]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--document-url"),
        (("letter.pdf", "--resolution", "STANDARD"), "FINE"),
        (("letter.pdf", "--image-conversion", "GREY"), "HALFTONE"),
        (("letter.pdf", "--cover-page", "01ABC", "--cover-field", "city"), "NAME=VALUE"),
    ],
)
def test_an_option_that_is_none_is_wrong_usage(
    bulkfax: Bulkfax, recipients: Path, words: tuple[str, ...], says: str
) -> None:
    first, *rest = words or (str(recipients),)
    ran = bulkfax("send", first, *([] if not words else [recipients]), *rest)
    assert (ran.status, says in ran.err) == (2, True), ran.err
