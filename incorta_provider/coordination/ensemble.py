"""Whether a ZooKeeper ensemble has its quorum.

Asked by ``srvr``, the one four-letter word that ZooKeeper allows unless told otherwise (3.5 and later). ``ruok`` says
``imok`` without a quorum and proves nothing. A member that hangs accepts a connection and stays silent; silence counts
as not serving.

:raises ConfigurationError: the connection names no members.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kazoo.hosts import collect_hosts

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError

ANSWER_TIMEOUT = 3.0
"""Seconds that a member has for its answer."""

_MAX_ANSWER = 65536
_LEADING = frozenset({"leader", "standalone"})
_SERVING = _LEADING | {"follower"}
"""Modes that count towards the quorum; an observer has no vote, and a read-only member takes no writes."""


@dataclass(frozen=True, slots=True)
class Member:
    """What one member of the ensemble says.

    :ivar mode: ``leader``, ``follower``, ``standalone``, or another word of ZooKeeper; empty without an answer.
    :ivar reason: why the member does not serve; empty when it does.
    """

    host: str
    port: int
    mode: str
    reason: str

    @property
    def ok(self) -> bool:
        """Whether the member serves and has a vote."""
        return not self.reason


def members(info: ConnectionInfo) -> list[tuple[str, int]]:
    """Return the members that the connection's host field names, as ``host:port,host:port``."""
    info.require("host")
    try:
        found, folder = collect_hosts(info.host.replace(" ", ""))
    except ValueError:
        found, folder = [], None
    if not found or folder:
        raise ConfigurationError(
            f"{info.host!r} is not a list of ZooKeeper members",
            where=f"connection {info.conn_id}",
            fix="Write host:port,host:port,host:port into its host field.",
        )
    return [(str(host), int(port)) for host, port in found]


def ensemble_state(info: ConnectionInfo, timeout: float = ANSWER_TIMEOUT) -> list[Member]:
    """Ask every member at the same time, and return what each says, in the connection's order."""
    addresses = members(info)
    with ThreadPoolExecutor(max_workers=len(addresses)) as pool:
        return list(pool.map(lambda address: _ask_member(address[0], address[1], timeout), addresses))


def quorum_problem(state: Sequence[Member]) -> str | None:
    """Return why the ensemble takes no writes; None when it does: a leader, and more than half of the members.

    >>> quorum_problem([Member("a", 1, "leader", ""), Member("b", 1, "follower", ""), Member("c", 1, "", "silent")])
    >>> quorum_problem([Member("a", 1, "", "silent"), Member("b", 1, "follower", "")])
    'no quorum: 1 of 2 members serve, no leader (a:1 silent)'
    """
    serving = [member for member in state if member.ok]
    leads = any(member.mode in _LEADING for member in serving)
    if leads and 2 * len(serving) > len(state):
        return None
    others = "; ".join(f"{member.host}:{member.port} {member.reason}" for member in state if not member.ok)
    leader = "" if leads else ", no leader"
    return f"no quorum: {len(serving)} of {len(state)} members serve{leader}" + (f" ({others})" if others else "")


def _ask_member(host: str, port: int, timeout: float) -> Member:
    try:
        answer = _four_letters("srvr", host, port, timeout)
    except TimeoutError:
        return Member(host, port, "", f"silent for {timeout:g} s")
    except OSError as error:
        return Member(host, port, "", error.strerror or str(error))
    except UnicodeError:
        return Member(host, port, "", "is not a host name")
    mode = next((line.removeprefix("Mode: ") for line in answer.splitlines() if line.startswith("Mode: ")), "")
    return Member(host, port, mode, "" if mode in _SERVING else _refusal(answer, mode))


def _refusal(answer: str, mode: str) -> str:
    """Return why a member that answered does not count."""
    if mode:
        return f"is in mode {mode}"
    if "whitelist" in answer:
        return "does not allow srvr (4lw.commands.whitelist)"
    return answer.strip().splitlines()[0][:200] if answer.strip() else "closed the connection without a word"


def _four_letters(word: str, host: str, port: int, timeout: float) -> str:
    """Send one of ZooKeeper's four-letter words; a member that drips its answer still has only ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    answer = b""
    with socket.create_connection((host, port), timeout=timeout) as connection:
        connection.sendall(word.encode())
        while len(answer) < _MAX_ANSWER:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            if not (chunk := connection.recv(4096)):
                break
            answer += chunk
    return answer.decode(errors="replace")
