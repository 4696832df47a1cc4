"""Signed tokens with an end, in the form of a JWT (RFC 7519, HS256)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

_HEADER = {"alg": "HS256", "typ": "JWT"}


def issue(secret: bytes, subject: str, expires_at: float) -> str:
    """Return a token for ``subject``.

    :param expires_at: seconds since the epoch.
    """
    claims = {"sub": subject, "exp": expires_at}
    signed = f"{_encode(json.dumps(_HEADER).encode())}.{_encode(json.dumps(claims).encode())}"
    return f"{signed}.{_sign(secret, signed)}"


def is_valid(secret: bytes, token: str, now: float) -> bool:
    """Return whether the token was issued with this secret and has not ended."""
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_sign(secret, signed).encode(), signature.encode()):
        return False
    claims = signed.partition(".")[2]
    padded = claims + "=" * (-len(claims) % 4)
    return bool(json.loads(base64.urlsafe_b64decode(padded))["exp"] > now)


def _sign(secret: bytes, text: str) -> str:
    return _encode(hmac.new(secret, text.encode(), hashlib.sha256).digest())


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
