"""The MD5 of a body: a server refuses one that is not what was sent, and tells it as the ETag of what it stored."""

from __future__ import annotations

import base64
import hashlib


def md5_of(data: bytes) -> bytes:
    """Return the MD5 of bytes; it guards against damage on the way, not against a forger."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def guard(md5: bytes) -> dict[str, str]:
    """Return the header by which the server refuses a body that is not what was sent."""
    return {"content-md5": base64.b64encode(md5).decode()}
