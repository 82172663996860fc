"""Holds are released by category, by batch, or all at once; a dry run says which these are."""

from typing import Any

import httpx
import pytest

from dispatcher.runtime import Runtime
from tests.service.samples import running

pytestmark = pytest.mark.anyio


async def held(runtime: Runtime) -> tuple[str, str]:
    """Two batches with a held job each, one of them held itself, and a country."""
    first, second = await running(runtime.store, 3), await running(runtime.store, 3)
    for scope, category in (
        (f"job:{first}.0", "submit_unknown"),
        (f"job:{second}.0", "submit_unknown"),
        (f"batch:{second}", "config"),
        ("country:DE", "not_permitted"),
    ):
        assert await runtime.store.holds.open(scope, category, "no")
    return first, second


@pytest.mark.parametrize(
    ("named", "scopes"),
    [
        ({"category": "submit_unknown"}, ["job:1.0", "job:2.0"]),
        ({"batch": "2"}, ["job:2.0", "batch:2"]),
        ({"batch": "2", "category": "config"}, ["batch:2"]),
        ({"all": True}, ["job:1.0", "job:2.0", "batch:2", "country:DE"]),
        ({"category": "funds"}, []),
    ],
)
async def test_those_that_are_named_are_released(
    api: httpx.AsyncClient, runtime: Runtime, named: dict[str, Any], scopes: list[str]
) -> None:
    first, second = await held(runtime)
    names = {"job:1.0": f"job:{first}.0", "job:2.0": f"job:{second}.0", "batch:2": f"batch:{second}"}
    body = named | ({"batch": second} if "batch" in named else {})
    expected = {names.get(scope, scope) for scope in scopes}
    before = {hold.scope for hold in await runtime.store.holds.all()}
    for dry_run in (True, False):
        answer = await api.post("/v1/account/holds/release", json={**body, "dry_run": dry_run})
        assert answer.status_code == 200
        assert {hold["scope"] for hold in answer.json()["holds"]} == expected
        assert (answer.json()["released"], answer.json()["more"]) == (len(expected), False)
        left = {hold.scope for hold in await runtime.store.holds.all()}
        assert left == (before if dry_run else before - expected)


async def test_a_hold_for_lost_writes_is_kept(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await runtime.store.holds.open("account", "record_rolled_back", "lost")
    answer = await api.post("/v1/account/holds/release", json={"all": True})
    assert (answer.json()["released"], answer.json()["kept"]) == (0, 1)
    assert len(await runtime.store.holds.all()) == 1


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [({}, "body", "name the holds"), ({"category": "confg"}, "category", "did you mean config?")],
)
async def test_what_is_wrong_is_named(api: httpx.AsyncClient, body: dict[str, Any], field: str, says: str) -> None:
    answer = await api.post("/v1/account/holds/release", json=body)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["field"] == field
    assert says in fault["message"]
