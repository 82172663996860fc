"""Applies what was decided: compare-and-set on the record, many jobs in one call, kept until Redis has it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from dispatcher.core.job import Happened, HistoryEntry, JobId, Record
from dispatcher.core.policy import Policy
from dispatcher.core.rule import Scope
from dispatcher.core.settlement import Case, HoldWanted, Step
from dispatcher.service.material import Library, Material, MaterialMissing
from dispatcher.store.dispatch import Change
from dispatcher.store.errors import StoreError
from dispatcher.store.store import Store

Decide = Callable[[Record, Case], Step | None]

NO_HISTORY: tuple[HistoryEntry, ...] = ()
#: jobs in one call; results that come while it is under way wait for the next one
_MOST = 64
#: pauses while Redis is away: results of calls in flight are kept and written when it is back
_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    change: Change
    applied: asyncio.Future[Record | None]


class Settler:
    """The one door through which results reach the store."""

    def __init__(self, store: Store, library: Library, policy: Policy, *, polling: bool) -> None:
        self._store = store
        self._library = library
        self._policy = policy
        self._polling = polling
        self._queue: list[_Waiting] = []
        self._flushing: asyncio.Task[None] | None = None

    async def settle(
        self,
        job: JobId,
        decide: Decide,
        *,
        known: Record | None = None,
        totals: Mapping[str, int] | None = None,
    ) -> Step | None:
        """Decide and apply one job's step, anew whenever another record stands there.

        ``known`` is the record if the caller has it; a first attempt has no history, so nothing is read then.
        Returns the step that was applied, or None when there was nothing to do. ``totals`` count with the step.
        """
        record, history = known, NO_HISTORY
        if record is None or record.attempt > 1:
            stored = await self._read(job)
            if stored is None:
                return None
            record, history = known or stored[0], stored[1]
        while True:
            step = decide(record, await self._case(history))
            if step is None:
                return None
            found = await self._apply(_change(job, record, step, totals or {}))
            if found is None:
                await self._afterwards(job, step)
                return step
            stored = await self._read(job)
            record, history = stored or (found, history)

    async def _case(self, history: Sequence[HistoryEntry]) -> Case:
        return Case(
            policy=self._policy,
            now_ms=await _until_it_works(self._store.clock.now_ms),
            chance=random.random(),
            history=history,
            polling=self._polling,
        )

    async def _read(self, job: JobId) -> tuple[Record, tuple[HistoryEntry, ...]] | None:
        stored = await _until_it_works(lambda: self._store.dispatch.stored([job]))
        return (stored[0].record, stored[0].history) if stored[0] else None

    async def _apply(self, change: Change) -> Record | None:
        waiting = _Waiting(change=change, applied=asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return await waiting.applied

    async def _flush(self) -> None:
        while self._queue:
            together, self._queue = self._queue[:_MOST], self._queue[_MOST:]
            changes = [one.change for one in together]
            try:
                answers = await _until_it_works(partial(self._store.dispatch.settle, changes))
            except BaseException as error:
                for waiting in together:
                    waiting.applied.set_exception(error)
                raise
            for waiting, answer in zip(together, answers, strict=True):
                if not waiting.applied.done():
                    waiting.applied.set_result(answer)

    async def _afterwards(self, job: JobId, step: Step) -> None:
        """Effects beside the job itself: a hold that the failure asks for, and what people are told."""
        if step.hold is not None:
            await self._open_hold(job, step.hold)
        if step.history is not None:
            _log_entry(job, step)

    async def _open_hold(self, job: JobId, wanted: HoldWanted) -> None:
        holds, probe_s = self._store.holds, wanted.probe_after_s or 0
        for scope in await self._scopes(job, wanted.scope):
            if wanted.hold_after > 1 and not await holds.strike(scope, wanted.hold_after):
                continue
            if await holds.open(scope, wanted.category, wanted.cause, probe_after_s=probe_s, probe_every_s=probe_s):
                log.warning("hold opened", scope=scope, category=wanted.category, cause=wanted.cause)

    async def _scopes(self, job: JobId, scope: Scope) -> list[str]:
        match scope:
            case Scope.ACCOUNT:
                return ["account"]
            case Scope.BATCH:
                return [f"batch:{job.batch}"]
            case Scope.JOB:
                return [f"job:{job}"]
        try:
            material: Material = (await self._library.material([job]))[0]
        except MaterialMissing:
            return []
        if scope is Scope.COUNTRY:
            return [f"country:{material.recipient.region}"]
        return [f"document:{sha256}" for sha256 in material.definition.documents]


def _change(job: JobId, old: Record, step: Step, totals: Mapping[str, int]) -> Change:
    more: dict[str, int] = dict(totals)
    if step.event is not None and step.history is not None:
        more[f"failures|{step.history.category}"] = 1
    if step.record.doubled and not old.doubled:
        more["doubled"] = 1
    return Change(
        job=job,
        old=old,
        new=step.record,
        next_ms=step.next_ms if step.event is not None else -1,
        history=step.history,
        rest_s=step.rest_s,
        attempt=old.attempt,
        spent=step.spent,
        totals=more,
    )


async def _until_it_works(call: Callable[[], Awaitable[Answer]]) -> Answer:
    pause_s = _PAUSE_S
    while True:
        try:
            return await call()
        except StoreError as error:
            log.warning("the store does not answer, the result is kept", error=str(error))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def _log_entry(job: JobId, step: Step) -> None:
    entry = step.history
    if entry is None:
        return
    write = log.error if entry.outcome is Happened.DOUBLED else log.info
    write(
        "attempt ended" if step.event else "evidence",
        job=str(job),
        attempt=entry.attempt,
        outcome=entry.outcome.value,
        category=entry.category,
        state=step.record.state.label,
        why=entry.why,
    )
