"""Query parameters that a route does not have are refused, with the nearest one that it has."""

import httpx
import pytest

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("path", "field", "sentence"),
    [
        ("/v1/batches?stat=failed", "stat", ""),
        ("/v1/batches/x/jobs?status=failed", "status", "did you mean state?"),
        ("/v1/batches/x/jobs?State=failed", "State", "did you mean state?"),
        ("/v1/jobs?reference=r&phone=1", "phone", "use one of after, limit, number, reference, since, state"),
        ("/v1/account?verbose=1", "verbose", "this route has no query parameters"),
        ("/v1/batches/x?\x01=1".replace("\x01", "%01"), "\x01", ""),
        ("/v1/batches/x/jobs?" + "x" * 500 + "=1", "x" * 100, ""),
    ],
)
async def test_an_unknown_parameter_is_refused_by_name(
    api: httpx.AsyncClient, path: str, field: str, sentence: str
) -> None:
    answer = await api.get(path)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert sentence in error["message"]


async def test_options_of_an_upload_are_checked_as_well(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/recipients/dry-run?number_colum=fax", content="fax\n+12025550143\n")
    assert (answer.status_code, "number_column" in answer.text) == (422, True), answer.text


async def test_routes_for_others_than_producers_ignore_them(api: httpx.AsyncClient) -> None:
    assert (await api.get("/healthz?probe=1")).status_code == 200
