"""A port at which nobody listens, and which nobody else gets meanwhile: one that was only let go is anybody's."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def closed_port() -> Iterator[int]:
    """Lend the number of a port of 127.0.0.1 that refuses connections."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])
