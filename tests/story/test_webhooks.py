"""Events reach a receiver over real connections, although the process that delivers them is killed."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from dispatcher.client import NewWebhookEndpoint, Replay
from dispatcher.local.ports import free_port
from tests.local.watching import until
from tests.story.conftest import PATIENCE_S, StoryCluster

pytestmark = pytest.mark.story
NUMBERS = [f"+1202555{n:04}" for n in range(100, 140)]


@dataclass(frozen=True)
class Delivery:
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def events(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = json.loads(self.body)["events"]
        return events


class HookReceiver(ThreadingHTTPServer):
    """Answers 204 as soon as it is let; until then its callers wait."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.deliveries: queue.Queue[Delivery] = queue.Queue()
        self.open = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: HookReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.deliveries.put(Delivery({name.lower(): value for name, value in self.headers.items()}, body))
        self.server.open.wait(30)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def running_receiver() -> Iterator[HookReceiver]:
    with HookReceiver() as receiver:
        threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield receiver
        receiver.open.set()
        receiver.shutdown()


def test_each_event_arrives_in_order_although_the_scheduler_is_killed(cluster: StoryCluster) -> None:
    """It is killed after the receiver has got a request, and before it has answered."""
    with running_receiver() as receiver:
        new = NewWebhookEndpoint(url=f"http://127.0.0.1:{receiver.server_port}/")
        endpoint = cluster.client.create_webhook_endpoint(new)
        batch = cluster.start_batch(NUMBERS)
        deliveries = [receiver.deliveries.get(timeout=PATIENCE_S)]
        os.kill(cluster.local.processes["scheduler"].pid, signal.SIGKILL)
        receiver.open.set()
        cluster.wait(batch.id)
        while deliveries[-1].events[-1]["type"] != "batch.finished":
            deliveries.append(receiver.deliveries.get(timeout=PATIENCE_S))
    assert [delivery.id for delivery in deliveries].count(deliveries[0].id) > 1, "it is repeated under its id"
    for delivery in deliveries:
        Webhook(endpoint.secret).verify(delivery.body, delivery.headers)
    seen: list[dict[str, Any]] = []
    for event in [event for delivery in deliveries for event in delivery.events if event["batch"] == batch.id]:
        if event["sequence"] > len(seen):
            seen.append(event)
        else:
            assert event == seen[event["sequence"] - 1], "what comes again is the same"
    assert [event["sequence"] for event in seen] == list(range(1, len(seen) + 1))
    assert (seen[0]["type"], seen[-1]["type"]) == ("batch.started", "batch.finished")
    assert seen == [event.model_dump(mode="json") for event in cluster.client.events(batch=batch.id)]


def test_the_example_takes_what_is_replayed_to_it(cluster: StoryCluster, repository: Path) -> None:
    """It verifies the signatures with the public library."""
    port = free_port()
    endpoint = cluster.client.create_webhook_endpoint(NewWebhookEndpoint(url=f"http://127.0.0.1:{port}/"))
    example = [sys.executable, str(repository / "examples" / "webhook_receiver.py"), endpoint.secret, str(port)]
    with subprocess.Popen(example, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as program:
        try:
            batch = cluster.start_batch(NUMBERS[:2], name="second")
            cluster.wait(batch.id)
            cluster.client.replay_webhook_events(endpoint.id, Replay(after="0-1"))
            until(lambda: cluster.client.webhook_endpoint(endpoint.id).waiting_since is None, PATIENCE_S)
        finally:
            program.terminate()
        assert program.stdout
        lines = program.stdout.read().splitlines()
    assert sum("batch.finished second" in line for line in lines) == 1
    page = cluster.client.webhook_deliveries_page(endpoint.id)
    assert page.deliveries[0].status == 204
