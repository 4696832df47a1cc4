"""What an account, a server or a worker lacks is said before anything is done, and no password leaves its place."""

from __future__ import annotations

import dataclasses
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError, DrError, PreconditionError, TransientError
from incorta_provider.metadata import rights
from incorta_provider.metadata.client import running
from incorta_provider.metadata.dump import dump
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.engines.mariadb import MariaDb
from incorta_provider.metadata.prove import prove
from incorta_provider.metadata.relay import lent

pytestmark = pytest.mark.lab

ACCOUNT = "'dr_reader'@'127.0.0.1'"


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        ({"password": "wrong"}, ConfigurationError, "the login was refused"),
        ({"user": "nobody"}, ConfigurationError, "the login was refused"),
        ({"host": "no-such-host.invalid"}, ConfigurationError, "the host's name is unknown"),
        ({"port": 1}, TransientError, "cannot be used now"),
        ({"schema": "no_such"}, ConfigurationError, r"the account lacks rights|no such schema"),
    ],
)
def test_a_wrong_endpoint_is_refused_by_kind(
    changed: dict[str, Any], kind: type[DrError], said: str, primary: Any, folder: Path
) -> None:
    wrong = dataclasses.replace(primary.endpoint, **changed)
    with pytest.raises(kind, match=said) as caught:
        dump(wrong, folder)
    assert (wrong.schema in caught.value.where, bool(caught.value.fix)) == (True, True)
    assert list(folder.iterdir()) == []


def test_a_schema_that_was_dropped_is_named(primary: Any, folder: Path) -> None:
    primary.run(f"DROP DATABASE `{primary.endpoint.schema}`")
    with pytest.raises(ConfigurationError, match="there is no such schema"):
        dump(primary.endpoint, folder)


def test_a_locked_account_is_told_from_a_wrong_password(primary: Any, folder: Path) -> None:
    primary.run(f"ALTER USER {ACCOUNT} ACCOUNT LOCK")
    with pytest.raises(PreconditionError, match="the account is locked"):
        dump(primary.endpoint, folder)


@pytest.mark.parametrize("missing", ["mariadb-dump", "mariadb"])
def test_a_missing_client_program_is_named(
    missing: str, dumped: Any, dr: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    steps: dict[str, Callable[[], object]] = {
        "mariadb": lambda: prove(dr.endpoint, dumped.dump, dumped.inventory_file, scratch_key="none"),
        "mariadb-dump": lambda: dump(dr.endpoint, tmp_path),
    }
    with pytest.raises(ConfigurationError, match=f"the program {missing} or mysql.* is not installed"):
        steps[missing]()


@pytest.mark.parametrize(
    ("right", "place"),
    [
        *((right, "schema") for right in rights.SCHEMA_RIGHTS),
        *((right, "*.*") for right in MariaDb("").global_rights),
        ("SELECT", "mysql.proc"),
        ("SELECT", "mysql.user"),
        ("CREATE", r"`\_dr\_proof\_%`.*"),
    ],
)
def test_each_right_that_is_missing_is_named_with_its_statement(
    right: str, place: str, primary: Any, folder: Path
) -> None:
    schema = f"`{primary.endpoint.schema}`.*".replace("_", r"\_")
    where = schema if place == "schema" else place
    primary.run(f"REVOKE {right} ON {where} FROM {ACCOUNT}")
    with pytest.raises(ConfigurationError, match="the account lacks rights") as caught:
        dump(primary.endpoint, folder)
    shown = where if "`" in where or where == "*.*" else ".".join(f"`{part}`" for part in where.split("."))
    assert caught.value.fix == f"Run: GRANT {right} ON {shown} TO {ACCOUNT}"
    primary.run(caught.value.fix.removeprefix("Run: "))
    primary.endpoint.ensure_rights()


@pytest.mark.parametrize(
    "grant", ["GRANT ALL ON *.* TO {}", r"GRANT ALL ON `meta\_%`.* TO {}", "GRANT ALL ON `%`.* TO {}"]
)
def test_wider_rights_do_as_well(grant: str, primary: Any) -> None:
    schema = primary.endpoint.schema.replace("_", r"\_")
    primary.run(f"REVOKE ALL ON `{schema}`.* FROM {ACCOUNT}", grant.format(ACCOUNT))
    primary.endpoint.ensure_rights()


def test_rights_of_a_role_count(primary: Any) -> None:
    schema = primary.endpoint.schema.replace("_", r"\_")
    primary.run(
        f"REVOKE TRIGGER ON `{schema}`.* FROM {ACCOUNT}",
        "CREATE OR REPLACE ROLE dr_role",
        f"GRANT TRIGGER ON `{schema}`.* TO dr_role",
        f"GRANT dr_role TO {ACCOUNT}",
        f"SET DEFAULT ROLE dr_role FOR {ACCOUNT}",
    )
    primary.endpoint.ensure_rights()
    primary.run("DROP ROLE dr_role")
    with pytest.raises(ConfigurationError, match="GRANT TRIGGER ON"):
        primary.endpoint.ensure_rights()


def facts_of(process: int, name: str) -> bytes:
    """Return what the system shows of a process, once it has become the program that it is to be."""
    deadline = time.monotonic() + 60
    while not (shown := Path(f"/proc/{process}/{name}").read_bytes()):
        assert time.monotonic() < deadline
    return shown


def test_the_password_is_in_no_argument_environment_message_or_file(
    nasty: Any, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    password = nasty.endpoint.password
    own = tempfile.TemporaryDirectory(prefix="own-")  # a socket's path is short, and other runs use the common folder
    monkeypatch.setattr(tempfile, "tempdir", own.name)
    with running("sql", nasty.endpoint, ["--batch"]) as client:
        for name in ("cmdline", "environ"):
            assert password.encode() not in facts_of(client.process.pid, name)
    dump(nasty.endpoint, folder)
    wrong = dataclasses.replace(nasty.endpoint, schema="other")
    with pytest.raises(DrError) as caught:
        dump(wrong, folder)
    assert password not in f"{caplog.text}{caught.value}{nasty.endpoint!r}"
    assert list(Path(own.name).iterdir()) == []
    own.cleanup()


def test_the_client_reads_nothing_of_the_system_and_keeps_nothing(nasty: Any) -> None:
    with running("sql", nasty.endpoint, ["--batch"]) as client:
        arguments = facts_of(client.process.pid, "cmdline").split(b"\0")
        process = client.process
    assert arguments[1].startswith(b"--defaults-file=/dev/fd/")
    assert process.poll() is not None, "it was ended with the block"


def test_a_session_is_lent_to_this_user_only(primary: Any) -> None:
    with primary.endpoint.connect() as session, lent(session) as path:
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.parent.exists()


def test_an_endpoint_is_made_of_a_connection(primary: Any) -> None:
    endpoint = primary.endpoint
    info = ConnectionInfo("m", "mysql", endpoint.host, endpoint.port, endpoint.user, endpoint.password, "other")
    made = Endpoint.from_connection(info, schema=endpoint.schema, site="berlin")
    assert made == endpoint
    with made.connect() as session, session.cursor() as cursor:
        cursor.execute("SELECT @@time_zone, @@sql_mode, @@character_set_client, DATABASE()")
        assert cursor.fetchone() == ("+00:00", "", "utf8mb4", endpoint.schema)
