"""Celery with a task for each fax. Workers: ``celery -A benchmarks.peers.celery_fax worker``."""

import os

from celery import Celery  # type: ignore[import-untyped]  # it has no types

from benchmarks.peers.sending import send

app = Celery("peer", broker=os.environ["PEER_REDIS_URL"])
app.conf.update(task_ignore_result=True, task_acks_late=True, worker_hijack_root_logger=False)


@app.task(max_retries=10)  # type: ignore[untyped-decorator]  # the same
def send_fax(number: str, reference: str, name: str) -> None:
    """Send the fax of one recipient."""
    send(number, reference)
