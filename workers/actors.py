"""The actors: doors to the use-cases, nothing else. Messages may come any number of times; nothing is answered."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from dramatiq import Actor, Broker, actor

from dispatcher.core.job import JobId
from dispatcher.runtime import Runtime
from dispatcher.service.errors import StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Actors:
    """What the scheduler can ask of the workers."""

    submit: Actor[..., Any]
    submit_urgent: Actor[..., Any]
    reconcile: Actor[..., Any]
    settle_events: Actor[..., Any]


def declare(broker: Broker, runtime: Runtime) -> Actors:
    """Declare every actor to the broker, each with a queue of its own."""

    async def submit(lease_id: str) -> None:
        """Send the jobs of a lease."""
        await runtime.sender.submit(lease_id)

    async def submit_urgent(lease_id: str) -> None:
        """Send the jobs of a lease, before all others."""
        await runtime.sender.submit(lease_id, urgent=True)

    async def reconcile(jobs: list[str]) -> None:
        """Take the step of jobs that came due while they were in flight."""
        await runtime.reconciler.reconcile([JobId.parse(job) for job in jobs])

    async def settle_events() -> None:
        """Settle the callbacks in the inbox."""
        await runtime.inbox_consumer.settle_events()

    # a store that is away is no surprise: ``StoreErrors`` writes one line of it, dramatiq would write a trace
    ours = partial(actor, broker=broker, throws=StoreError)
    return Actors(
        submit=ours(queue_name="bulk")(submit),
        submit_urgent=ours(queue_name="urgent")(submit_urgent),
        reconcile=ours(queue_name="looks")(reconcile),
        settle_events=ours(queue_name="news")(settle_events),
    )
