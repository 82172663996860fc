"""``batches change``: what is named changes, and it says what follows from that."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Bulkfax
from tests.cli.test_reruns import answer


@pytest.fixture
def batch(connected: Bulkfax, repository: Path, tmp_path: Path) -> str:
    """A draft to two recipients."""
    path = tmp_path / "list.csv"
    path.write_text("fax,reference\n+12025550130,A1\n+12025550131,A2\n")
    sent = connected("send", repository / "examples" / "letter.pdf", path, "--draft", "--allow-repeat", "--json")
    return str(answer(sent)["id"])


def test_a_draft_is_put_right(connected: Bulkfax, batch: str) -> None:
    tried = connected("batches", "change", batch, "--sender", "+12025550101", "--weight", "5", "--dry-run")
    assert f"would change of batch {batch}: from, weight. Nothing was changed" in tried.err
    changed = connected("batches", "change", batch, "--sender", "+12025550101", "--weight", "5", "--name", "April")
    assert f"changed of batch {batch}: name, from, weight. It has version 2 and is draft" in changed.err
    assert "metadata" in connected("batches", "change", batch, "--metadata", "team=north").err
    again = connected("batches", "change", batch, "--weight", "5")
    assert "has these values already: nothing changed" in again.err
    unset = answer(connected("batches", "change", batch, "--unset", "sender", "--unset", "weight", "--json"))
    assert (unset["changed"], unset["options"], unset["weight"]) == (["options.from", "weight"], {}, 1)
    assert "3, changed since it was created" in connected("batches", "show", batch).out
    other = connected("batches", "change", batch, "--weight", "2", "--version", "1")
    assert (other.status, "has version 3 by now, not 1" in other.err) == (1, True)


def test_another_letter_takes_the_place_of_all_before(connected: Bulkfax, batch: str, repository: Path) -> None:
    letter = repository / "examples" / "letter.pdf"
    by_url = answer(
        connected("batches", "change", batch, "--document-url", "https://documents.example.com/a.pdf", "--json")
    )
    assert (by_url["documents"], by_url["content_urls"]) == ([], ["https://documents.example.com/a.pdf"])
    uploaded = answer(connected("batches", "change", batch, "--letter", letter, "--json"))
    assert (len(uploaded["documents"]), uploaded["content_urls"]) == (1, [])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "name what to change"),
        (("--unset", "colour"), "colour is none of cover-page-data"),
        (("--weight", "x"), "x"),
    ],
)
def test_what_is_typed_wrong_is_named_before_anything_is_asked(
    bulkfax: Bulkfax, words: tuple[str, ...], says: str
) -> None:
    ran = bulkfax("batches", "change", "b", *words)
    assert ran.status == 2
    assert says in ran.err


def test_a_mailing_for_tomorrow_begins_today_only_with_now(
    connected: Bulkfax, repository: Path, tmp_path: Path
) -> None:
    letter = repository / "examples" / "letter.pdf"
    (tmp_path / "list.csv").write_text("Fax\n+12025550164\n")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="minutes")
    sent = connected("send", letter, "list.csv", "--start-at", tomorrow, "--json")
    batch = json.loads(sent.last_line)["id"]
    again = connected("batches", "start", batch)
    assert (again.status, f"batch {batch} is scheduled and begins at " in again.err) == (0, True)
    repeated = connected("send", letter, "list.csv", "--start-at", tomorrow)
    assert f"has scheduled batch {batch}, which begins at " in repeated.err
    why = connected("batches", "why", batch)
    assert "Nothing is wrong: the batch is scheduled" in why.out
    assert "  begins in " in why.out
    assert connected("batches", "start", batch, "--now").err.startswith(f"batch {batch} is running")


def test_a_word_that_stands_for_a_number_is_refused_before_anything_is_asked(bulkfax: Bulkfax) -> None:
    ran = bulkfax("batches", "change", "b1", "--sender", "YOUR-NUMBER")
    assert ran.status == 2
    assert "bulkfax provider numbers list" in " ".join(ran.err.split())


def test_what_is_not_there_is_released_and_deleted_without_an_error(connected: Bulkfax) -> None:
    """And that is said, in case that a name was mistyped."""
    for words, says in (
        (("holds", "release", "country:AQ"), "nothing is held under country:AQ (any more)"),
        (("batches", "delete", "nothere", "--yes"), "there is no batch nothere (any more): nothing was deleted"),
        (("webhooks", "delete", "we_x", "--yes"), "there is no webhook endpoint we_x (any more): nothing was deleted"),
    ):
        ran = connected(*words)
        assert (ran.status, says in ran.err) == (0, True), ran
