"""Signed callback URLs.

The provider does not sign its callbacks. Instead, the callback URL of every attempt contains an HMAC of the job and the
attempt number. The HMAC does not cover host and path prefix, so callbacks still arrive after the public URL has
changed.
"""

import base64
import hmac
from collections.abc import Iterable

#: path below the public URL; the routes of the API start with it, too
CALLBACK_PATH = "/callbacks/sinch"


def sign(key: bytes, job: str, attempt: int) -> str:
    """Return the HMAC-SHA256 of job and attempt number, as 43 URL-safe characters."""
    digest = hmac.digest(key, f"{job} {attempt}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def verify(keys: Iterable[bytes], job: str, attempt: int, signature: str) -> bool:
    """Return whether the signature was made with one of the keys.

    All keys are tried, in constant time.
    """
    signature_bytes = signature.encode("utf-8", "replace")
    matches = [hmac.compare_digest(sign(key, job, attempt).encode(), signature_bytes) for key in keys]
    return any(matches)


def callback_url(public_url: str, job: str, attempt: int, key: bytes) -> str:
    """Return ``<public_url>/callbacks/sinch/<job>/<attempt>/<signature>``; ``public_url`` may have a path."""
    return f"{public_url.rstrip('/')}{CALLBACK_PATH}/{job}/{attempt}/{sign(key, job, attempt)}"
