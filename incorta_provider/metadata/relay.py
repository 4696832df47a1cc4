"""Lends one of our sessions to a client program, with the snapshot that it holds.

A dump client takes a snapshot of its own, and nothing makes that the one which our counts and checksums come from: on a
busy server there is always a transaction in between. So the client does not log in at the server. It connects to a
socket here, which speaks just enough of the client/server protocol to greet it (MariaDB manual, *Connection phase*);
from then on its commands go to our session and the answers back, byte for byte. Kept from the session are the good-bye
and, where it holds a snapshot, the statement that would begin another transaction. The client needs no password.

The same way a client gets a session with TLS whose safety was checked by us: :mod:`incorta_provider.metadata.tls`.

Raises :class:`OSError` when one side goes away; the client then fails, and says so.
"""

from __future__ import annotations

import contextlib
import secrets
import select
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pymysql.constants import CLIENT, COMMAND, SERVER_STATUS

from incorta_provider.metadata.endpoint import Session

_CHUNK = 1 << 18
_HEADER_BYTES = 4
_LONGEST = _HEADER_BYTES + 0xFFFFFF
"""A packet that another one goes on (MariaDB manual, *Server Packets*)."""
_UTF8MB4 = 45
"""utf8mb4_general_ci; clients set their own anyway."""

_BEGIN = b"START TRANSACTION"
_LOGIN_FLAGS = CLIENT.PROTOCOL_41 | CLIENT.SECURE_CONNECTION | CLIENT.PLUGIN_AUTH
_OUR_AFFAIRS = CLIENT.SSL | CLIENT.CONNECT_WITH_DB | CLIENT.CONNECT_ATTRS | CLIENT.PLUGIN_AUTH_LENENC_CLIENT_DATA


@contextmanager
def lent(session: Session, *, keeps_snapshot: bool = True) -> Iterator[Path]:
    """Lend a session as long as the block lasts; nobody else may use it meanwhile.

    :param keeps_snapshot: the session holds one, which the client must not end.
    :returns: the path of the socket. Its folder is open to this user only, and goes when its one client has come. A
        kill before that leaves a dead socket, and no secret.
    """
    server = cast("socket.socket", session._sock)  # type: ignore[attr-defined]
    folder = Path(tempfile.mkdtemp(prefix="incorta-dr-"))
    path = folder / "socket"
    listener = socket.socket(socket.AF_UNIX)
    ends = _Ends(listener, server, greeting(session), folder, keeps_snapshot)
    worker = threading.Thread(target=_serve, args=(ends,), daemon=True)
    try:
        listener.bind(str(path))
        listener.listen(1)
        worker.start()
        yield path
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        if worker.is_alive():
            worker.join()
        listener.close()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Ends:
    listener: socket.socket
    server: socket.socket
    welcome: bytes
    folder: Path
    keeps_snapshot: bool


def _serve(ends: _Ends) -> None:
    """Greet one client, then pass packets until it says good-bye or goes away."""
    with contextlib.suppress(OSError):
        client, _ = ends.listener.accept()
        shutil.rmtree(ends.folder, ignore_errors=True)
        with client:
            client.sendall(_packet(0, ends.welcome))
            _read_packet(client)
            client.sendall(_packet(2, _OK))
            _pass_on(client, ends.server, keeps_snapshot=ends.keeps_snapshot)


def _pass_on(client: socket.socket, server: socket.socket, *, keeps_snapshot: bool) -> None:
    """Pass packets; with TLS a read takes a whole record off the socket, so that none waits where poll cannot see.

    Not ``select``, which fails in a process that has more than 1024 files open.
    """
    poll = select.poll()
    for end in (client, server):
        poll.register(end, select.POLLIN)
    while True:
        ready = {handle for handle, _ in poll.poll()}
        if server.fileno() in ready:
            answer = server.recv(_CHUNK)
            if not answer:
                return
            client.sendall(answer)
        if client.fileno() in ready:
            packet = _read_packet(client)
            command, begin = packet[_HEADER_BYTES], bytes(packet[_HEADER_BYTES + 1 :][: len(_BEGIN)])
            if command == COMMAND.COM_QUIT:
                return
            if keeps_snapshot and command == COMMAND.COM_QUERY and begin.upper() == _BEGIN:
                client.sendall(_packet(1, _OK))
                continue
            server.sendall(packet)
            while len(packet) == _LONGEST:  # the rest of one command, whatever it begins with
                packet = _read_packet(client)
                server.sendall(packet)


def greeting(session: Session) -> bytes:
    """Return the first packet of a server: our session's version and abilities, without what concerns its login."""
    flags = session.client_flag & ~_OUR_AFFAIRS | _LOGIN_FLAGS
    version, number = session.get_server_info(), session.thread_id()  # type: ignore[no-untyped-call]
    salt = secrets.token_hex(10).encode()
    return b"".join(
        (
            b"\x0a" + version.encode() + b"\0",
            struct.pack("<I", number) + salt[:8] + b"\0",
            struct.pack("<HBH", flags & 0xFFFF, _UTF8MB4, SERVER_STATUS.SERVER_STATUS_AUTOCOMMIT),
            struct.pack("<HB10x", flags >> 16, len(salt) + 1),
            salt[8:] + b"\0" + b"mysql_native_password\0",
        )
    )


_OK = struct.pack("<BBBHH", 0, 0, 0, SERVER_STATUS.SERVER_STATUS_IN_TRANS, 0)
"""The packet that says yes (MariaDB manual, *OK_Packet*): nothing affected, no id, no warning."""


def _packet(number: int, payload: bytes) -> bytes:
    return struct.pack("<I", len(payload))[:3] + bytes([number]) + payload


def _read_packet(source: socket.socket) -> memoryview:
    """Return one packet with its header."""
    header = _read_exactly(source, bytearray(_HEADER_BYTES))
    return _read_exactly(source, bytearray(header) + bytearray(int.from_bytes(header[:3], "little")), _HEADER_BYTES)


def _read_exactly(source: socket.socket, data: bytearray, at: int = 0) -> memoryview:
    """Fill ``data`` from ``at`` on."""
    view = memoryview(data)
    while at < len(data):
        size = source.recv_into(view[at:])
        if not size:
            raise ConnectionError("the client went away")
        at += size
    return view
