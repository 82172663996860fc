"""Every operation on damaged data: whatever it answers, the description names it.

The client of the tests compares each answer with the description, so the tests here only have to ask for everything.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from dispatcher.api.description import examples
from dispatcher.runtime import Runtime
from dispatcher.store.keys import ACCOUNT_TYPES, Keys
from tests.api.described import document
from tests.service.samples import running

pytestmark = pytest.mark.anyio

KEYS = Keys()
HOOK = {"url": "https://hooks.example.com/bulkfax"}
STREAMS = ("getBatchReport", "exportSuppressions")
QUERY = {"lookUpJobs": {"reference": "r1"}, "deleteSuppressions": {"source": "manual"}, "explainFailure": {}}


def _operations(names: Mapping[str, str]) -> Iterator[tuple[str, str, str, Any]]:
    """Yield the method, path, id and body of every operation; those that read come first, those that delete last."""
    order = ["get", "head", "post", "patch", "put", "delete"]
    paths = document()["paths"].items()
    for method, path, operation in sorted(
        ((method, path, operation) for path, operations in paths for method, operation in operations.items()),
        key=lambda item: order.index(item[0]),
    ):
        yield method, path.format(**names), operation["operationId"], _body(operation)


def _body(operation: Mapping[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    references = [schema, *schema.get("anyOf", ())]
    name = next((option["$ref"].rpartition("/")[2] for option in references if "$ref" in option), "")
    return examples().get(name)


async def _ask_for_everything(api: httpx.AsyncClient, names: Mapping[str, str]) -> set[int]:
    statuses = set[int]()
    for method, path, operation_id, body in _operations(names):
        try:
            answer = await api.request(method, path, json=body, params=QUERY.get(operation_id))
        except RuntimeError:
            if operation_id not in STREAMS:
                raise
            continue  # it breaks off: whoever reads it has no complete file
        assert answer.status_code not in (405, 500), (operation_id, answer.text)
        statuses.add(answer.status_code)
    return statuses


async def _rubbish_in_keys_of(client: Redis, pattern: str) -> None:
    """Every value becomes one that nobody can read, and keeps its type."""
    async for key in client.scan_iter(pattern):
        match await client.type(key):
            case b"string":
                await client.set(key, b"\xff{", keepttl=True)
            case b"hash":
                await client.hset(key, mapping=dict.fromkeys(await client.hkeys(key), b"\xff{"))
            case b"list":
                await client.lset(key, 0, "\0{")
            case b"zset" | b"set":
                continue


async def _rubbish_in_account(client: Redis, batch: str) -> None:
    for name in ACCOUNT_TYPES.keys() - {"secrets", "epoch"}:
        await _rubbish_in_keys_of(client, KEYS.prefix + name)


async def _rubbish_in_batch(client: Redis, batch: str) -> None:
    await _rubbish_in_keys_of(client, f"{KEYS.batch(batch)}*")


async def _other_types_in_account(client: Redis, batch: str) -> None:
    for name, kind in ACCOUNT_TYPES.items():
        await client.delete(KEYS.prefix + name)
        await (client.set(KEYS.prefix + name, "x") if kind == "list" else client.rpush(KEYS.prefix + name, "x"))


async def _other_types_in_batch(client: Redis, batch: str) -> None:
    async for key in client.scan_iter(f"{KEYS.batch(batch)}*"):
        is_list = await client.type(key) == b"list"
        await client.delete(key)
        await (client.set(key, "x") if is_list else client.rpush(key, "x"))


DAMAGE: Mapping[str, Callable[[Redis, str], Awaitable[None]]] = {
    "rubbish in the keys of the account": _rubbish_in_account,
    "rubbish in a batch": _rubbish_in_batch,
    "other types of the account's keys": _other_types_in_account,
    "other types of a batch's keys": _other_types_in_batch,
}


@pytest.mark.parametrize("kind", DAMAGE)
async def test_every_answer_about_damaged_data_is_described(
    api: httpx.AsyncClient, runtime: Runtime, redis_url: str, kind: str
) -> None:
    batch = await running(runtime.store, 3)
    endpoint = (await api.post("/v1/webhook-endpoints", json=HOOK)).json()["id"]
    assert (await api.post("/v1/suppressions", json={"number": "+12025550101"})).status_code == 200
    await runtime.store.holds.open(f"job:{batch}.0", "internal", "of a test")
    await runtime.store.holds.open("account", "config", "of a test")
    names = {
        "batch": batch,
        "job": f"{batch}.0",
        "fax": f"{batch}.0",
        "sha256": "0" * 64,
        "endpoint": endpoint,
        "scope": "account",
        "number": "+12025550101",
        "preview": "none",
    }
    async with Redis.from_url(redis_url) as client:
        await DAMAGE[kind](client, batch)
    assert 409 in await _ask_for_everything(api, names)
