"""dramatiq's broker: it runs the work and holds no truth.

Messages carry ids only and may be lost, late or doubled without harm. So there are no retries, no delays and no time
limits: what is not done comes due again in the store.
"""

from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO, Middleware

#: chances in a million that a command also does dramatiq's upkeep; our messages are few
_MAINTENANCE_CHANCE = 50_000
_HEARTBEAT_MS = 30_000


def make_broker(client: Any, *middleware: Middleware) -> RedisBroker:
    """A broker on that connection, set as the process's own."""
    broker = RedisBroker(  # type: ignore[no-untyped-call]  # dramatiq leaves it so
        client=client,
        namespace="bulkfax",
        maintenance_chance=_MAINTENANCE_CHANCE,
        heartbeat_timeout=_HEARTBEAT_MS,
        middleware=[AsyncIO(), *middleware],
    )
    dramatiq.set_broker(broker)
    return broker
