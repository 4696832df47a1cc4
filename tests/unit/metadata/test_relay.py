"""The relay between a client program and a session, seen from both ends."""

from __future__ import annotations

import os
import resource
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymysql.constants import CLIENT

from incorta_provider.metadata.relay import greeting, lent


class Session:
    """What the relay uses of a session."""

    client_flag = CLIENT.CAPABILITIES | CLIENT.CONNECT_WITH_DB | CLIENT.SSL

    def __init__(self) -> None:
        self._sock, self.server = socket.socketpair()

    def get_server_info(self) -> str:
        return "5.5.5-10.11.19-MariaDB"

    def thread_id(self) -> int:
        return 7


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session()
    yield made
    made._sock.close()
    made.server.close()


def packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def read(source: socket.socket) -> tuple[int, bytes]:
    header = source.recv(4, socket.MSG_WAITALL)
    return header[3], source.recv(int.from_bytes(header[:3], "little"), socket.MSG_WAITALL)


def logged_in(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60)
    client.connect(str(path))
    assert read(client)[0] == 0
    client.sendall(packet(1, b"any login will do"))
    assert read(client) == (2, b"\0\0\0\x01\0\0\0")
    return client


def test_the_greeting_is_of_the_sessions_own_server(session: Any) -> None:
    payload = greeting(session)
    assert payload.startswith(b"\x0a5.5.5-10.11.19-MariaDB\0\x07\0\0\0")
    assert payload.endswith(b"\0mysql_native_password\0")
    abilities = payload[payload.index(b"\0") + 14 :]
    flags = int.from_bytes(abilities[:2] + abilities[5:7], "little")
    assert flags & CLIENT.PROTOCOL_41
    assert not flags & (CLIENT.SSL | CLIENT.CONNECT_WITH_DB | CLIENT.COMPRESS)


def test_commands_and_answers_pass_byte_for_byte(session: Any) -> None:
    with lent(session) as path, logged_in(path) as client:
        query = packet(0, b"\x03SELECT 1")
        client.sendall(query[:3])
        client.sendall(query[3:])
        assert session.server.recv(100) == query
        session.server.sendall(b"any\0answer" * 1000)
        assert client.recv(10_000, socket.MSG_WAITALL) == b"any\0answer" * 1000


@pytest.mark.parametrize("statement", [b"START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT */", b"start transaction"])
def test_the_snapshot_is_not_given_up_for_another(statement: bytes, session: Any) -> None:
    with lent(session) as path, logged_in(path) as client:
        client.sendall(packet(0, b"\x03" + statement))
        assert read(client) == (1, b"\0\0\0\x01\0\0\0")
        session.server.setblocking(False)
        with pytest.raises(BlockingIOError):
            session.server.recv(1)


def test_the_session_outlives_its_client(session: Any) -> None:
    with lent(session) as path, logged_in(path) as client:
        client.sendall(packet(0, b"\x01"))
        assert client.recv(1) == b"", "the relay hangs up"
    session._sock.sendall(b"still usable")
    assert session.server.recv(100) == b"still usable"


def test_a_client_that_never_comes_or_dies_leaves_nothing(session: Any) -> None:
    with lent(session) as path:
        folder = path.parent
        assert folder.exists()
    assert not folder.exists()
    with lent(session) as path:
        client = logged_in(path)
        folder = path.parent
        assert not folder.exists(), "nobody else can connect"
        client.close()


def test_a_server_that_goes_away_is_noticed_by_the_client(session: Any) -> None:
    with lent(session) as path, logged_in(path) as client:
        session.server.close()
        assert client.recv(1) == b""


def test_it_works_in_a_process_with_many_open_files(session: Any) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    spare = [os.open(os.devnull, os.O_RDONLY) for _ in range(1024)]
    try:
        with lent(session) as path, logged_in(path) as client:
            client.sendall(packet(0, b"\x03SELECT 1"))
            assert read(session.server) == (0, b"\x03SELECT 1")
    finally:
        for handle in spare:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_rest_of_a_long_command_is_no_command(session: Any) -> None:
    """Its second packet begins like a good-bye."""
    with lent(session) as path, logged_in(path) as client:
        threading.Thread(
            target=client.sendall, args=(packet(0, b"\x03" + b"x" * 0xFFFFFE) + packet(1, b"\x01y"),)
        ).start()
        assert len(read(session.server)[1]) == 0xFFFFFF
        assert read(session.server) == (1, b"\x01y")


def test_a_session_that_holds_no_snapshot_may_begin_one(session: Any) -> None:
    with lent(session, keeps_snapshot=False) as path, logged_in(path) as client:
        client.sendall(packet(0, b"\x03START TRANSACTION"))
        assert read(session.server) == (0, b"\x03START TRANSACTION")
