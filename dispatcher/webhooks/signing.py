"""Signs deliveries as Standard Webhooks: https://www.standardwebhooks.com."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

_PREFIX, _BYTES = "whsec_", 32


def new_secret() -> str:
    """Return a new secret, which a receiver gives to its library as it is."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signed_headers(delivery: str, body: str, signing: Sequence[str], time_s: int) -> Mapping[str, str]:
    """Return the headers of a delivery, with a signature of each secret. ``time_s`` is the time of this attempt."""
    time = datetime.fromtimestamp(time_s, UTC)
    signatures = [Webhook(secret).sign(delivery, time, body) for secret in signing]
    return {
        "webhook-id": delivery,
        "webhook-timestamp": str(time_s),
        "webhook-signature": " ".join(signatures),
    }
