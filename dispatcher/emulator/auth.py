"""Authentication: Basic credentials and OAuth2 access tokens that expire.

Tokens are signed JWTs: the emulator stores none of them, and they remain valid when it restarts.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from enum import Enum
from functools import lru_cache

from dispatcher.emulator.clock import rfc3339

_PROJECT = re.compile(r"/v3/projects/([^/]*)")


class Access(Enum):
    """Result of the authentication of a request."""

    GRANTED = "granted"
    DENIED = "denied"
    EXPIRED = "expired"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Auth:
    """Authenticates the requests to one project, which has one access key."""

    def __init__(self, *, project_id: str, key_id: str, key_secret: str, token_life_s: int) -> None:
        self.project_id = project_id
        self.token_life_s = token_life_s
        self._basic = base64.b64encode(f"{key_id}:{key_secret}".encode())
        self._key_id = key_id
        self._secret = key_secret.encode()
        self._count = 0
        self._expiry = lru_cache(maxsize=4096)(self._verified_expiry)

    def basic_ok(self, header: bytes) -> bool:
        """Return whether an ``Authorization`` header holds the Basic credentials of the access key."""
        scheme, _, value = header.partition(b" ")
        return scheme.lower() == b"basic" and hmac.compare_digest(value.strip(), self._basic)

    def issue(self, now_ms: int) -> str:
        """Issue an access token that expires ``token_life_s`` seconds after ``now_ms``."""
        self._count += 1
        claims = {
            "iss": "emulator",
            "sub": self._key_id,
            "iat": now_ms // 1000,
            "exp": now_ms // 1000 + self.token_life_s,
            "jti": f"{now_ms}-{self._count}",
        }
        head = _b64(b'{"alg":"HS256","typ":"JWT"}') + "." + _b64(json.dumps(claims).encode())
        return head + "." + self._signature(head)

    def check(self, header: bytes, path: str, now_ms: int) -> tuple[Access, str]:
        """Authenticate a request by its ``Authorization`` header and path.

        Returns:
            The result, and the value of ``WWW-Authenticate`` for a 401; empty if access is granted.
        """
        project = _PROJECT.match(path)
        if project is None or project[1] != self.project_id:
            return Access.DENIED, _challenge("Unknown project")
        if self.basic_ok(header):
            return Access.GRANTED, ""
        scheme, _, token = header.partition(b" ")
        expiry_s = self._expiry(token.strip()) if scheme.lower() == b"bearer" else None
        if expiry_s is None:
            return Access.DENIED, _challenge("Unknown credentials")
        if now_ms >= expiry_s * 1000:
            return Access.EXPIRED, _challenge(f"Jwt expired at {rfc3339(expiry_s * 1000)}")
        return Access.GRANTED, ""

    def _signature(self, head: str) -> str:
        return _b64(hmac.new(self._secret, head.encode(), hashlib.sha256).digest())

    def _verified_expiry(self, token: bytes) -> int | None:
        """Return when a token expires, in seconds since 1970; None if its signature is invalid."""
        try:
            head, _, signature = token.decode("ascii").rpartition(".")
            if not hmac.compare_digest(signature, self._signature(head)):
                return None
            claims = json.loads(base64.urlsafe_b64decode(head.partition(".")[2] + "=="))
            return int(claims["exp"])
        except (UnicodeDecodeError, binascii.Error, ValueError, KeyError, TypeError):
            return None


def _challenge(description: str) -> str:
    return f'Bearer error="invalid_token", error_description="{description}"'
