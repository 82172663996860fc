"""Receivers verify deliveries with the public library."""

import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from dispatcher.webhooks.signing import new_secret, signed_headers

BODY = '{"events":[{"name":"März"}]}'


def test_the_public_library_verifies_a_delivery() -> None:
    secret = new_secret()
    headers = dict(signed_headers("msg_1", BODY, [secret], round(time.time())))
    assert Webhook(secret).verify(BODY.encode(), headers) == {"events": [{"name": "März"}]}


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_another_delivery_does_not_pass_under_its_signature(header: str) -> None:
    secret, now_s = new_secret(), round(time.time())
    headers = dict(signed_headers("msg_1", BODY, [secret], now_s))
    other = signed_headers("msg_2", BODY, [secret], now_s + 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers | {header: other[header]})
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + " ", headers)


def test_after_a_rotation_both_secrets_verify() -> None:
    secrets = [new_secret(), new_secret()]
    headers = dict(signed_headers("msg_1", BODY, secrets, round(time.time())))
    for secret in secrets:
        Webhook(secret).verify(BODY, headers)


def test_a_delivery_of_an_hour_ago_is_refused() -> None:
    """So each attempt is signed anew."""
    secret = new_secret()
    headers = dict(signed_headers("msg_1", BODY, [secret], round(time.time()) - 3600))
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(BODY, headers)
