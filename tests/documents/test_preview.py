"""Pictures of pages as a fax has them."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import pytest
from PIL import Image

from dispatcher.child_process.runner import ChildLimits, ChildProcesses
from dispatcher.documents.fax_page import LINE_PIXELS, Method, Resolution
from dispatcher.documents.fax_picture import in_black_and_white, sending_seconds
from dispatcher.documents.preview import preview
from tests.documents.drawn import area, form, lines, page

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "letter.pdf"
FINE, SUPERFINE = Resolution.FINE, Resolution.SUPERFINE


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def source() -> Iterator[IO[bytes]]:
    with TemporaryFile(buffering=0) as file:
        file.write(EXAMPLE.read_bytes())
        yield file


def drawn(
    content: bytes, number: int = 1, resolution: Resolution = FINE, method: Method = Method.HALFTONE
) -> Image.Image:
    answer, png = preview(content, number, resolution, method, timed=False)
    assert png, answer
    return Image.open(BytesIO(png))


def black(picture: Image.Image) -> int:
    return picture.convert("L").histogram()[0]


@pytest.mark.parametrize(("resolution", "height", "down"), [(FINE, 2292, 196), (SUPERFINE, 4573, 391)])
def test_a_page_is_a_picture_of_one_bit_in_the_resolution_of_a_fax(
    resolution: Resolution, height: int, down: int
) -> None:
    picture = drawn(EXAMPLE.read_bytes(), 2, resolution)
    assert (picture.format, picture.mode, picture.size) == ("PNG", "1", (LINE_PIXELS, height))
    assert [round(dots) for dots in picture.info["dpi"]] == [204, down]
    assert "provider" in picture.info["Comment"]


def test_both_resolutions_show_the_same_page() -> None:
    content = EXAMPLE.read_bytes()
    fine, superfine = drawn(content), drawn(content, resolution=SUPERFINE)
    assert black(superfine) == pytest.approx(black(fine) * 391 / 196, rel=0.05)


def test_letters_are_black_on_white_without_dots() -> None:
    content = page(lines())
    assert drawn(content).tobytes() == drawn(content, method=Method.MONOCHROME).tobytes()


def test_halftone_makes_dots_of_grey_and_monochrome_does_not() -> None:
    content = page(area("0.75 0.75 0.75", 100, 100, 200, 200) + lines(5))
    dots, none = drawn(content), drawn(content, method=Method.MONOCHROME)
    box = (400, 1600, 800, 1950)
    assert black(none.crop(box)) == 0
    assert black(dots.crop(box)) == pytest.approx(400 * 350 * 0.25, rel=0.05)
    assert black(none) > 1000


def test_a_page_lying_down_is_turned() -> None:
    picture = drawn(page(area("0 0 0", 0, 0, 100, 595), size=(842, 595)))
    # its left edge comes to the top: it is turned clockwise
    assert black(picture.crop((100, 0, 1600, 200))) == 1500 * 200
    assert black(picture.crop((100, 400, 1600, 2292))) == 0


def test_annotations_are_drawn() -> None:
    stamped = page("", stamp=form(area("0 0 0", 0, 0, 100, 20), box=(0, 0, 100, 20)))
    assert black(drawn(stamped)) == pytest.approx(100 * 20 / 72**2 * 204 * 196, rel=0.05)


@pytest.mark.parametrize("number", [2, 1000])
def test_a_page_that_does_not_exist_has_no_picture(number: int) -> None:
    assert preview(page(""), number, FINE, Method.HALFTONE, timed=True) == ({"pages": 1}, b"")


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7 nothing", b"hello"])
def test_what_is_no_pdf_has_no_picture(content: bytes) -> None:
    assert preview(content, 1, FINE, Method.HALFTONE, timed=False) == ({"pages": 0}, b"")


def test_the_time_of_sending_is_that_of_group_4() -> None:
    white = Image.new("1", (LINE_PIXELS, 2292), 255)
    # one bit for each line that is like the line before, and the mark of the end
    assert sending_seconds(white) == pytest.approx((2292 + 24) / 14_400, abs=16 / 14_400)
    noise = in_black_and_white(Image.effect_noise((LINE_PIXELS, 2292), 200), Method.HALFTONE)
    assert sending_seconds(noise) > 200


async def _in_child(source: IO[bytes], *arguments: str) -> tuple[dict[str, float], bytes]:
    with TemporaryFile(buffering=0) as output:
        limits = ChildLimits(output_bytes=4_000_000)
        await ChildProcesses().run("dispatcher.documents.preview", source, output, *arguments, limits=limits)
        output.seek(0)
        answer, _, png = output.read().partition(b"\n")
    return json.loads(answer), png


@pytest.mark.anyio
async def test_a_child_process_draws_a_page(source: IO[bytes]) -> None:
    answer, png = await _in_child(source, "2", "SUPERFINE", "MONOCHROME", "timed")
    assert answer["pages"] == 2
    assert 1 < answer["seconds"] < 20
    with Image.open(BytesIO(png)) as picture:
        assert picture.size == (LINE_PIXELS, 4573)
    assert (await _in_child(source, "3", "FINE", "HALFTONE")) == ({"pages": 2}, b"")
