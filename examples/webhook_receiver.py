"""Receives webhooks of bulkfax: verifies the signature, leaves out what it has already, and prints the events.

python examples/webhook_receiver.py whsec_... [PORT]
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

#: ids of the events that were handled; keep those of the last week in your database, together with what you do
handled: set[str] = set()


def handle(event: dict[str, Any]) -> None:
    """Do something about an event, once: a delivery may come again."""
    if event["id"] not in handled:
        print(event["time"], event["type"], event["name"] or "", event["data"], flush=True)  # noqa: T201  # the example
        handled.add(event["id"])


class Receiver(BaseHTTPRequestHandler):
    webhook: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            delivery = self.webhook.verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.send_error(401)
            return
        for event in delivery["events"]:
            handle(event)
        self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    Receiver.webhook = Webhook(sys.argv[1])
    HTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 8000), Receiver).serve_forever()
