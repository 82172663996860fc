"""Signatures of the URLs that the provider calls, and the comparison of secrets.

Every purpose has keys of its own, derived from the callback keys. A signature that was made for one purpose is a value
of another HMAC than that of the other purposes, so it is valid for none of them, whatever the messages are.
"""

import hmac
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

#: characters of a signature: HMAC-SHA256 as hex
LENGTH = 64


class Purpose(StrEnum):
    """What a signature permits."""

    CALLBACK = "callback"
    DOCUMENT = "document"


def sign(purpose: Purpose, key: bytes, *parts: str | int) -> str:
    """Return the HMAC-SHA256 of the parts as 64 hex digits, under the key of the purpose."""
    # The length of each part is signed too, so that no other division of the text has the same signature.
    message = "".join(f"{len(str(part))}:{part}" for part in parts)
    return hmac.digest(_key_of(purpose, key), message.encode("utf-8", "surrogatepass"), "sha256").hex()


def verify(purpose: Purpose, keys: Iterable[bytes], signature: str, *parts: str | int) -> bool:
    """Return whether the signature was made for this purpose, with one of the keys. All keys are tried."""
    return len(signature) == LENGTH and is_any_of(signature, [sign(purpose, key, *parts) for key in keys])


def is_any_of(offered: str, secrets: Iterable[str]) -> bool:
    """Return whether a text is one of several secrets, in a time that does not depend on how much of it is right."""
    raw = offered.encode("utf-8", "replace")
    matches = [hmac.compare_digest(secret.encode(), raw) for secret in secrets]
    return any(matches)


@lru_cache(maxsize=64)
def _key_of(purpose: Purpose, key: bytes) -> bytes:
    return hmac.digest(key, f"bulkfax/{purpose}".encode(), "sha256")
