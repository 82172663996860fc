"""Callback addresses that only we can have made.

The provider signs nothing, so every attempt gets an address of its own with an HMAC in it. It covers job and
attempt and never the host or a path prefix, so that a changed public address breaks no callback under way.
"""

import base64
import hmac
from collections.abc import Iterable

#: path below our public address; the receiver's routes start with it too
CALLBACK_PATH = "/callbacks/sinch"


def sign(key: bytes, job: str, attempt: int) -> str:
    """HMAC-SHA256 over job and attempt, as 43 url-safe characters."""
    digest = hmac.digest(key, f"{job} {attempt}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def verify(keys: Iterable[bytes], job: str, attempt: int, signature: str) -> bool:
    """True when any of the keys made the signature. Every key is tried, in constant time for each."""
    offered = signature.encode("utf-8", "replace")
    matches = [hmac.compare_digest(sign(key, job, attempt).encode(), offered) for key in keys]
    return any(matches)


def callback_url(public_url: str, job: str, attempt: int, key: bytes) -> str:
    """``<public>/callbacks/sinch/<job>/<attempt>/<signature>``; ``public_url`` may have a path prefix."""
    return f"{public_url.rstrip('/')}{CALLBACK_PATH}/{job}/{attempt}/{sign(key, job, attempt)}"
