"""dramatiq with an actor for each fax. Workers: ``dramatiq benchmarks.peers.dramatiq_fax``."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.peers.sending import send

broker = RedisBroker(url=os.environ["PEER_REDIS_URL"])  # type: ignore[no-untyped-call]  # it has no types
dramatiq.set_broker(broker)


@dramatiq.actor(max_retries=10)
def send_fax(number: str, reference: str, name: str) -> None:
    """Send the fax of one recipient."""
    send(number, reference)
