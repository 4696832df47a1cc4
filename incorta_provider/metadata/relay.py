"""Lends one of our sessions to a client program, with the snapshot that it holds.

A dump client takes a snapshot of its own, and nothing makes that the one which our counts and checksums come from: on a
busy server there is always a transaction in between. So the client does not log in at the server. It connects to a
socket here, which speaks just enough of the client/server protocol to greet it (MariaDB manual, *Connection phase*);
from then on its commands go to our session and the answers back, byte for byte. Only two are kept from the session: the
statement that would begin another transaction, and the good-bye. The client needs no password.

Raises :class:`OSError` when one side goes away; the client then fails, and says so.
"""

from __future__ import annotations

import contextlib
import secrets
import selectors
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from pymysql.constants import CLIENT, COMMAND, SERVER_STATUS

from incorta_provider.metadata.endpoint import Session

_CHUNK = 1 << 18
_HEADER_BYTES = 4
_UTF8MB4 = 45
"""utf8mb4_general_ci; clients set their own anyway."""

_BEGIN = b"START TRANSACTION"
_LOGIN_FLAGS = CLIENT.PROTOCOL_41 | CLIENT.SECURE_CONNECTION | CLIENT.PLUGIN_AUTH
_OUR_AFFAIRS = CLIENT.SSL | CLIENT.CONNECT_WITH_DB | CLIENT.CONNECT_ATTRS | CLIENT.PLUGIN_AUTH_LENENC_CLIENT_DATA


@contextmanager
def lent(session: Session) -> Iterator[Path]:
    """Lend a session as long as the block lasts; nobody else may use it meanwhile.

    :returns: the path of the socket. Its folder is open to this user only, and goes when its one client has come. A
        kill before that leaves a dead socket, and no secret.
    """
    server = cast("socket.socket", session._sock)  # type: ignore[attr-defined]
    folder = Path(tempfile.mkdtemp(prefix="incorta-dr-"))
    path = folder / "socket"
    listener = socket.socket(socket.AF_UNIX)
    worker = threading.Thread(target=_serve, args=(listener, server, greeting(session), folder), daemon=True)
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


def _serve(listener: socket.socket, server: socket.socket, welcome: bytes, folder: Path) -> None:
    """Greet one client, then pass packets until it says good-bye or goes away."""
    with contextlib.suppress(OSError):
        client, _ = listener.accept()
        shutil.rmtree(folder, ignore_errors=True)
        with client:
            client.sendall(_packet(0, welcome))
            _read_packet(client)
            client.sendall(_packet(2, _OK))
            _pass_on(client, server)


def _pass_on(client: socket.socket, server: socket.socket) -> None:
    with selectors.DefaultSelector() as either:
        either.register(client, selectors.EVENT_READ, lambda: _pass_command(client, server))
        either.register(server, selectors.EVENT_READ, lambda: _pass_answer(client, server))
        while all(key.data() for key, _ in either.select()):
            pass


def _pass_command(client: socket.socket, server: socket.socket) -> bool:
    """Pass one packet on, or answer it here; return whether more may come."""
    packet = _read_packet(client)
    command, text = packet[_HEADER_BYTES], packet[_HEADER_BYTES + 1 :]
    if command == COMMAND.COM_QUERY and text.upper().startswith(_BEGIN):
        client.sendall(_packet(1, _OK))
    elif command != COMMAND.COM_QUIT:
        server.sendall(packet)
    return command != COMMAND.COM_QUIT


def _pass_answer(client: socket.socket, server: socket.socket) -> bool:
    answer = server.recv(_CHUNK)
    client.sendall(answer)
    return bool(answer)


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


def _read_packet(source: socket.socket) -> bytes:
    """Return one packet with its header."""
    header = _read_exactly(source, _HEADER_BYTES)
    return header + _read_exactly(source, int.from_bytes(header[:3], "little"))


def _read_exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = source.recv(size - len(data))
        if not piece:
            raise ConnectionError("the client went away")
        data += piece
    return data
