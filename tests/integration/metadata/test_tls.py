"""TLS to a real server, for sessions and for client programs: never less than what the connection asks for."""

from __future__ import annotations

import dataclasses
import hashlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymysql.constants import CLIENT

from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.client import running
from incorta_provider.metadata.dump import DUMP_FILE, INVENTORY_FILE, dump
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.prove import prove, read_inventory
from incorta_provider.metadata.restore import replace_schema
from incorta_provider.metadata.tls import Mode, Tls

pytestmark = pytest.mark.lab

ACCOUNT = "'dr_reader'@'127.0.0.1'"


def with_tls(place: Any, mode: Mode, *, of: Any = None, **changed: Any) -> Endpoint:
    """Return the place's endpoint with TLS; ``of`` is the place whose CA is trusted."""
    files = (of or place).server.certificates
    tls = Tls(mode, str(files.ca), str(files.certificate("client")), str(files.key("client")))
    return dataclasses.replace(place.endpoint, **{"tls": tls, **changed})


def cipher(endpoint: Endpoint) -> str:
    with endpoint.connect() as session, session.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        return str((cursor.fetchone() or ("", ""))[1])


@pytest.mark.parametrize("mode", list(Mode))
def test_a_session_is_encrypted_in_each_mode(mode: Mode, primary: Any) -> None:
    assert cipher(with_tls(primary, mode)).startswith(("TLS_", "ECDHE"))
    assert cipher(primary.endpoint) == ""


@pytest.mark.parametrize("mode", [Mode.VERIFY_CA, Mode.VERIFY_IDENTITY])
def test_a_server_of_another_ca_is_refused(mode: Mode, primary: Any, dr: Any) -> None:
    with pytest.raises(ConfigurationError, match="certificate verify failed") as caught:
        with_tls(primary, mode, of=dr).connect()
    assert caught.value.where == primary.endpoint.label


def test_another_servers_certificate_is_refused_where_the_identity_counts(primary: Any) -> None:
    """The lab's certificate is for 127.0.0.1, not for localhost."""
    assert cipher(with_tls(primary, Mode.VERIFY_CA, host="localhost")).startswith("TLS_")
    with pytest.raises(ConfigurationError, match="Hostname mismatch"):
        with_tls(primary, Mode.VERIFY_IDENTITY, host="localhost").connect()


def test_dump_proof_and_restore_work_with_an_account_that_asks_for_tls(
    nasty: Any, dr: Any, folder: Path, tmp_path: Path
) -> None:
    """It asks for a certificate of the server's CA besides, from sessions and from client programs."""
    for place in (nasty, dr):
        place.run(f"ALTER USER {ACCOUNT} REQUIRE X509")
    with pytest.raises(ConfigurationError, match="the login was refused"):
        dump(nasty.endpoint, folder)
    source, target = (with_tls(place, Mode.VERIFY_IDENTITY) for place in (nasty, dr))
    dump(source, folder)
    path, inventory = folder / DUMP_FILE, folder / INVENTORY_FILE
    assert prove(target, path, inventory, scratch_key="x509") == []
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    for attempt in ("first", "over it"):
        backup = tmp_path / attempt
        assert replace_schema(target, path, read_inventory(inventory), backup, sha256=sha256) == []


def test_a_row_that_takes_several_packets_is_loaded(primary: Any, dr: Any, folder: Path) -> None:
    """A statement above 16 MiB travels in pieces; the second of this one begins like a good-bye."""
    primary.run(
        "CREATE TABLE big (id INT PRIMARY KEY, body LONGTEXT)", "INSERT INTO big VALUES (1, REPEAT('\x01', 20000000))"
    )
    dump(with_tls(primary, Mode.REQUIRED), folder)
    assert prove(with_tls(dr, Mode.REQUIRED), folder / DUMP_FILE, folder / INVENTORY_FILE, scratch_key="big") == []


def test_the_client_program_is_given_no_password(nasty: Any) -> None:
    endpoint = with_tls(nasty, Mode.REQUIRED)
    with running("sql", endpoint, ["--batch"]) as client:
        client.input.write(b"CREATE TABLE through_tls AS SELECT VARIABLE_VALUE AS cipher FROM ")
        client.input.write(b"information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher';\n")
        client.input.close()
        client.finish()
    assert str(nasty.run("SELECT cipher FROM through_tls")[0][0]).startswith("TLS_")


@pytest.fixture
def stripping(primary: Any) -> Iterator[int]:
    """Lend the port of somebody in between who tells clients that the server has no TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_strip, args=(listener, primary.server.port), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _strip(listener: socket.socket, port: int) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            greeting = bytearray(server.recv(4096))
            low = greeting.index(0, 5) + 1 + 4 + 8 + 1
            flags = int.from_bytes(greeting[low : low + 2], "little") & ~CLIENT.SSL
            greeting[low : low + 2] = flags.to_bytes(2, "little")
            client.sendall(greeting)
            client.recv(4096)


@pytest.mark.parametrize("mode", list(Mode))
def test_nobody_in_between_can_talk_us_out_of_tls(mode: Mode, primary: Any, stripping: int) -> None:
    with pytest.raises(ConfigurationError, match="there is no safe connection: the server offers no TLS"):
        with_tls(primary, mode, port=stripping).connect()
    with (
        pytest.raises(ConfigurationError, match="the server offers no TLS"),
        running("sql", with_tls(primary, mode, port=stripping), ["--batch"]),
    ):
        pytest.fail("a client program was started")
