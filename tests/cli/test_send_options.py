"""Options of ``bulkfax send`` that go to the provider; ``tests/story/test_options.py`` follows them to the fax."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from dispatcher.cli.app import app
from dispatcher.client import Batch, ChangeBatch, Client, NewBatch, Options
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


#: fields of a batch that ``batches change`` cannot change, and why
_FOR_GOOD = {
    "default_country": "the numbers were read with it",
    "ignore_dead_numbers": "the list was compared with the do-not-fax list by it",
    "job_events": "a producer who is told of some jobs only can count nothing",
}
_ALL_OPTIONS = (
    *("--name", "March", "--metadata", "tenant=a", "--job-events", "--country", "US", "--ignore-dead-numbers"),
    *("--urgent", "--weight", "3", "--max-per-second", "2", "--on-partial", "stop"),
    *("--start-at", "2098-01-01T00:00Z", "--deadline", "2098-02-01T00:00Z"),
    *("--document-url", "https://example.com/a.pdf", "--sender", "+12025550199", "--service", "01S"),
    *("--header-text", "Ours", "--no-page-numbers", "--time-zone", "Europe/Berlin", "--resolution", "FINE"),
    *("--image-conversion", "HALFTONE", "--cover-page", "01ABC", "--cover-field", "city=Bath"),
)


def test_send_sets_every_field_that_a_batch_has(
    connected: Bulkfax, letter: Path, recipients: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the API knows, the command line knows."""
    asked, create = list[NewBatch](), Client.create_batch

    def noted(client: Client, new: NewBatch, *, key: str = "") -> Batch:
        asked.append(new)
        return create(client, new, key=key)

    monkeypatch.setattr(Client, "create_batch", noted)
    ran = connected("send", letter, recipients, *_ALL_OPTIONS, "--draft", "--json")
    assert ran.status == 0, ran.err
    new = asked[-1]
    unset = {name for name, field in NewBatch.model_fields.items() if getattr(new, name) == field.default}
    assert unset == set()
    unset = {name for name, field in Options.model_fields.items() if getattr(new.options, name) == field.default}
    assert unset == set()
    assert json.loads(ran.last_line)["job_events"] is True


def test_a_change_reaches_every_field_of_a_batch_but_those_that_stay_for_good() -> None:
    """And ``batches change`` has an option for each field that the API can change."""
    assert set(NewBatch.model_fields) - set(ChangeBatch.model_fields) == set(_FOR_GOOD)
    group: Any = get_command(app)
    options = {option for parameter in group.commands["batches"].commands["change"].params for option in parameter.opts}
    named = {"documents": "--letter", "content_urls": "--document-url", "options": "--sender"}
    missing = {named.get(name, f"--{name.replace('_', '-')}") for name in ChangeBatch.model_fields} - options
    assert missing == set()


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
