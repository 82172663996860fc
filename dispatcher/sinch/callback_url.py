"""Signed callback URLs.

The provider does not sign its callbacks. Instead, the callback URL of every attempt contains an HMAC of the job and the
attempt number. The HMAC does not cover host and path prefix, so callbacks still arrive after the public URL has
changed.
"""

from collections.abc import Iterable

from dispatcher.core.signatures import Purpose, sign, verify

#: path below the public URL; the routes of the API start with it, too
CALLBACK_PATH = "/callbacks/sinch"


def is_genuine(keys: Iterable[bytes], job: str, attempt: int, signature: str) -> bool:
    """Return whether bulkfax signed the callback URL of this attempt with one of the keys."""
    return verify(Purpose.CALLBACK, keys, signature, job, attempt)


def callback_url(public_url: str, job: str, attempt: int, key: bytes) -> str:
    """Return ``<public_url>/callbacks/sinch/<job>/<attempt>/<signature>``; ``public_url`` may have a path."""
    signature = sign(Purpose.CALLBACK, key, job, attempt)
    return f"{public_url.rstrip('/')}{CALLBACK_PATH}/{job}/{attempt}/{signature}"
