"""``bulkfax preview``: pictures and warnings, without a service."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Bulkfax
from tests.documents.drawn import lines, page, together


def test_a_picture_of_each_page_is_written(bulkfax: Bulkfax, repository: Path, tmp_path: Path) -> None:
    ran = bulkfax("preview", repository / "examples" / "letter.pdf", "--json")
    assert ran.status == 0, ran.err
    answer = json.loads(ran.last_line)
    assert answer["warnings"] == []
    assert [entry["picture"] for entry in answer["pages"]] == [f"letter-preview/letter-{page}.png" for page in (1, 2)]
    assert answer["seconds"] == pytest.approx(sum(entry["seconds"] for entry in answer["pages"]), abs=0.1)
    with Image.open(tmp_path / "letter-preview" / "letter-2.png") as picture:
        assert picture.size == (1728, 2292)


def test_warnings_and_times_are_shown(bulkfax: Bulkfax, tmp_path: Path) -> None:
    letter = tmp_path / "small.pdf"
    letter.write_bytes(together(page(lines()), page(lines(size=6))))
    ran = bulkfax("preview", letter, "-o", tmp_path / "seen", "--resolution", "SUPERFINE")
    assert ran.status == 0, ran.err
    assert "small_text" in ran.out
    assert "Page 2 has text of 6.0 points" in ran.out
    assert "not public" in ran.err
    with Image.open(tmp_path / "seen" / "small-1.png") as picture:
        assert picture.size[1] > 4000


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"hello", "not a PDF"), (page(lines())[:500], "cut off"), (None, "No such file")]
)
def test_what_cannot_be_read_is_refused_with_a_sentence(
    bulkfax: Bulkfax, tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    letter = tmp_path / "letter.pdf"
    if content is not None:
        letter.write_bytes(content)
    ran = bulkfax("preview", letter)
    assert ran.status == 1
    assert sentence in ran.err
    assert not (tmp_path / "letter-preview").exists()
