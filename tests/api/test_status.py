"""All that runs in one answer, and what the server's policy says about a failure."""

from pathlib import Path

import httpx
import pytest

from dispatcher.core.batch import Command
from dispatcher.runtime import Runtime
from dispatcher.settings import Settings
from tests.api.clients import api_with
from tests.service.samples import draft, running

pytestmark = pytest.mark.anyio


async def test_the_status_has_batches_that_run_and_no_others(api: httpx.AsyncClient, runtime: Runtime) -> None:
    store = runtime.store
    await draft(store, 2)
    first, paused, ended = [await running(store, 3) for _ in range(3)]
    await store.batches.command(paused, Command.PAUSE)
    await store.batches.command(ended, Command.CANCEL)
    seen = (await api.get("/v1/status")).json()
    assert {batch["id"]: batch["state"] for batch in seen["batches"]} == {first: "running", paused: "paused"}
    assert seen["more"] is False
    assert seen["account"]["open_drafts"] == 1


async def test_the_status_says_which_processes_run_and_what_stops_the_provider(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    store = runtime.store
    before = (await api.get("/v1/status")).json()
    assert (before["scheduler_alive"], before["scheduler_seen_at"]) == (False, None)
    assert (before["workers_alive"], before["worker_seen_at"]) == (0, None)
    assert (before["provider"], before["provider_answered_at"]) == ("ok", None)
    await store.workers.register("w", "1", room=5)
    await store.dispatch.claim("bulk", max_jobs=1, max_ahead=1, max_in_flight=1)
    await runtime.scheduler.tick()
    await store.holds.open("account", "funds", "empty", probes_s=(900.0,))
    after = (await api.get("/v1/status")).json()
    assert (after["scheduler_alive"], after["workers_alive"], after["provider"]) == (True, 1, "held")
    assert after["account"]["holds"][0]["scope"] == "account"


async def test_many_batches_are_bounded(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.service.status._SHOWN", 2)
    names = [await running(runtime.store, 1) for _ in range(5)]
    seen = (await api.get("/v1/status")).json()
    assert len({batch["id"] for batch in seen["batches"]} & set(names)) == 2
    assert seen["more"] is True


async def test_a_failure_is_explained_under_the_policy_of_the_server(settings: Settings, repository: Path) -> None:
    own = settings.model_copy(update={"policy_file": repository / "examples" / "fast-policy.toml"})
    async with api_with(own) as api:
        answer = await api.get("/v1/policy/explanation", params={"error_type": "CALL_ERROR", "error_code": 17})
    assert answer.json()["category"] == "busy"
    assert answer.json()["delays"][0] == "1.8 s"


async def test_what_is_no_error_type_is_refused_with_the_nearest(api: httpx.AsyncClient) -> None:
    answer = await api.get("/v1/policy/explanation", params={"error_type": "CALL_EROR", "error_code": 17})
    assert answer.status_code == 422
    assert "did you mean CALL_ERROR?" in answer.json()["detail"]
