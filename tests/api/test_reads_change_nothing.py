"""Diagnosis changes nothing: limits, keys, secrets and everything else in Redis are as they were."""

import asyncio
import os
import re
import sys
from pathlib import Path

import httpx
import pytest
import redis

from dispatcher.settings import Settings

pytestmark = pytest.mark.anyio


def dump(url: str) -> dict[bytes, bytes]:
    """Every key with its serialised value."""
    with redis.Redis.from_url(url) as client:
        return {key: client.dump(key) for key in client.scan_iter()}


@pytest.fixture
async def batch(api: httpx.AsyncClient) -> str:
    """A started batch of two jobs."""
    body = {"name": "a", "content_urls": ["https://example.com/a.pdf"]}
    batch: str = (await api.post("/v1/batches", json=body)).json()["id"]
    rows = b"fax\n+12025550101\n+12025550102\n"
    await api.post(f"/v1/batches/{batch}/recipients", content=rows, headers={"Content-Type": "text/csv"})
    assert (await api.post(f"/v1/batches/{batch}/start")).status_code == 200
    return batch


async def test_no_read_of_the_api_changes_anything(api: httpx.AsyncClient, batch: str, redis_url: str) -> None:
    described = (await api.get("/openapi.json")).json()["paths"]
    paths = [path for path, methods in described.items() if "get" in methods]
    assert len(paths) > 8
    before = dump(redis_url)
    for path in sorted(paths):
        named = re.sub(r"{\w+}", batch if "batches" in path else f"{batch}.0", path)
        assert (await api.get(named)).status_code in (200, 403, 404, 422), path
        assert dump(redis_url) == before, path


@pytest.mark.parametrize("command", [("doctor",), ("jobs", "show", "{job}", "--raw")])
async def test_no_command_that_looks_changes_anything(
    batch: str, settings: Settings, redis_url: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """With other limits than those of the processes that run, which it must not give to the account."""
    before = dump(redis_url)
    env = {
        **os.environ,
        "BULKFAX_REDIS_URL": redis_url,
        "BULKFAX_SINCH__RATE_PER_SECOND": "77",
        "BULKFAX_ALLOW_UNSAFE_REDIS": "true",
    }
    words = [word.format(job=f"{batch}.0") for word in command]
    looking = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dispatcher.cli", *words), env=env, cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL
    )
    assert await asyncio.wait_for(looking.wait(), 30) == 0
    assert dump(redis_url) == before
