"""Previews over HTTP."""

from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image

pytestmark = pytest.mark.anyio

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "letter.pdf"


@pytest.fixture
async def preview(api: httpx.AsyncClient) -> str:
    """The address of previews of the example."""
    document = (await api.post("/v1/documents", content=EXAMPLE.read_bytes())).json()["id"]
    return f"/v1/documents/{document}/preview"


async def test_a_page_is_shown_as_a_fax(api: httpx.AsyncClient, preview: str) -> None:
    answer = await api.get(preview)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert "not public" in answer.headers["preview-conversion"]
    assert answer.headers["preview-pages"] == "2"
    with Image.open(BytesIO(answer.content)) as picture:
        assert (picture.mode, picture.size) == ("1", (1728, 2292))


async def test_page_resolution_and_conversion_may_be_named(api: httpx.AsyncClient, preview: str) -> None:
    query = {"page": "2", "resolution": "SUPERFINE", "image_conversion_method": "MONOCHROME"}
    answer = await api.get(preview, params=query)
    with Image.open(BytesIO(answer.content)) as picture:
        assert picture.size == (1728, 4573)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"page": "3"}, 404),
        ({"page": "0"}, 422),
        ({"page": "-1"}, 422),
        ({"page": "first"}, 422),
        ({"page": "99999999999999999999"}, 422),
        ({"resolution": "COARSE"}, 422),
        ({"resolution": "fine"}, 422),
        ({"image_conversion_method": "DOTS"}, 422),
    ],
)
async def test_what_cannot_be_shown_is_refused(
    api: httpx.AsyncClient, preview: str, query: dict[str, str], status: int
) -> None:
    answer = await api.get(preview, params=query)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("document", ["0" * 64, "letter"])
async def test_a_document_that_does_not_exist_has_no_preview(api: httpx.AsyncClient, document: str) -> None:
    assert (await api.get(f"/v1/documents/{document}/preview")).status_code == 404
