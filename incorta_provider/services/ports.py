"""Whether something listens at a TCP port. A connection proves no more than that."""

from __future__ import annotations

import socket
from enum import StrEnum

TIMEOUT = 5.0


class Port(StrEnum):
    """What a connection attempt found."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


def probe(host: str, port: int, timeout: float = TIMEOUT) -> tuple[Port, str]:
    """Return the state of a port and what is wrong with it; the latter is empty when it is open.

    Only a refusal is proof that nobody listens: silence may be a firewall.
    """
    try:
        socket.create_connection((host, port), timeout=timeout).close()
    except ConnectionRefusedError:
        return Port.CLOSED, f"nobody listens at {host}:{port}"
    except TimeoutError:
        return Port.UNKNOWN, f"no answer from {host}:{port} within {timeout:g} s"
    except OSError as error:
        return Port.UNKNOWN, f"{host}:{port} cannot be reached: {error.strerror or error}"
    except UnicodeError:
        return Port.UNKNOWN, f"{host!r} is no name of a host"
    return Port.OPEN, ""


def port_problem(host: str, port: int, timeout: float = TIMEOUT) -> str | None:
    """Return why the port does not answer; None when it does."""
    return probe(host, port, timeout)[1] or None
