"""The dramatiq actors.

Each calls one method of the runtime; a message may arrive more than once.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from dramatiq import Actor, Broker, actor

from dispatcher.core.job import JobId
from dispatcher.runtime import Runtime
from dispatcher.service.errors import StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Actors:
    """The actors that the scheduler sends messages to."""

    submit: Actor[..., Any]
    submit_urgent: Actor[..., Any]
    reconcile: Actor[..., Any]
    settle_events: Actor[..., Any]


def declare(broker: Broker, runtime: Runtime) -> Actors:
    """Declare all actors to the broker, each with its own queue."""

    async def submit(lease_id: str) -> None:
        """Send the jobs of a lease."""
        await runtime.sender.submit(lease_id)

    async def submit_urgent(lease_id: str) -> None:
        """Send the jobs of an urgent lease."""
        await runtime.sender.submit(lease_id, urgent=True)

    async def reconcile(jobs: list[str]) -> None:
        """Reconcile jobs that became due while they were in flight."""
        await runtime.reconciler.reconcile([JobId.parse(job) for job in jobs])

    async def settle_events() -> None:
        """Settle the callbacks in the inbox."""
        await runtime.inbox_consumer.settle_events()

    # ``StoreErrors`` logs an unavailable store in one line, dramatiq would log a stack trace
    declare_actor = partial(actor, broker=broker, throws=StoreError)
    return Actors(
        submit=declare_actor(queue_name="bulk")(submit),
        submit_urgent=declare_actor(queue_name="urgent")(submit_urgent),
        reconcile=declare_actor(queue_name="lookups")(reconcile),
        settle_events=declare_actor(queue_name="callbacks")(settle_events),
    )
