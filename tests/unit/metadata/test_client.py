from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.exceptions import ConfigurationError, DrError, TransientError
from incorta_provider.metadata.client import find_program, running
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.engines.mariadb import position_in
from incorta_provider.metadata.option_file import option_file, option_text

ENDPOINT = Endpoint("db.example", 3306, "incorta", "geheim", "meta", "berlin")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a shell script in the place of a client program."""

    def install(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return path

    return install


def test_the_own_name_comes_before_the_old_one(program: Any) -> None:
    program("mysqldump", "")
    new = program("mariadb-dump", "")
    assert find_program("dump") == str(new)


def test_the_old_name_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Any) -> None:
    old = program("mysql", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program("sql") == str(old)


@pytest.mark.parametrize(
    ("said", "kind", "shown"),
    [
        ("ERROR 1045 (28000): Access denied", ConfigurationError, "the login was refused"),
        ("ERROR 2013 (HY000) at line 5: Lost connection", TransientError, "cannot be used now"),
        ('mariadb: Got error: 1040: "Too many connections"', TransientError, "Too many connections"),
        (
            "mariadb: Couldn't execute 'show create table `x`': Table 'x' doesn't exist (1146)",
            ConfigurationError,
            "1146",
        ),
        ("", ConfigurationError, "status 3: no message"),
    ],
)
def test_a_failure_is_what_the_program_said(
    said: str, kind: type[DrError], shown: str, program: Any, tmp_path: Path
) -> None:
    (tmp_path / "said").write_text(said)
    program("mariadb", f"cat >/dev/null; cat {tmp_path / 'said'} >&2; exit 3")
    with running("sql", ENDPOINT, []) as process:
        process.input.close()
        with pytest.raises(kind) as caught:
            process.finish()
    assert shown in caught.value.what
    assert caught.value.where == "schema meta at db.example:3306 (berlin)"


def test_the_statement_that_failed_is_not_repeated(program: Any) -> None:
    program(
        "mariadb",
        "cat >/dev/null; printf -- '---\\nINSERT INTO t VALUES (1, 42)\\n---\\n\\nERROR 1142: denied\\n' >&2; exit 1",
    )
    with running("sql", ENDPOINT, []) as process:
        process.input.close()
        process.process.wait()
        assert str(process.failure().what).endswith("ended with status 1: ERROR 1142: denied")


def test_a_program_is_ended_when_its_block_is_left(program: Any) -> None:
    program("mariadb-dump", "exec sleep 60")
    with pytest.raises(RuntimeError), running("dump", ENDPOINT, []) as process:
        raise RuntimeError
    assert process.process.returncode == -9


def test_a_program_gets_its_login_from_a_file_that_only_it_can_read(program: Any, tmp_path: Path) -> None:
    program("mariadb", f'cat "${{1#--defaults-file=}}" > {tmp_path / "seen"}; cat >/dev/null')
    with running("sql", ENDPOINT, []) as process:
        process.input.close()
        process.finish()
    assert (tmp_path / "seen").read_text() == (
        '[client]\nprotocol = "tcp"\nhost = "db.example"\nport = "3306"\nuser = "incorta"\npassword = "geheim"\n'
    )


def test_the_file_is_private_and_nowhere_on_disk() -> None:
    with option_file({"password": "x"}) as handle:
        status = Path(f"/proc/self/fd/{handle}").stat()
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert status.st_nlink == 0
    assert not Path(f"/proc/self/fd/{handle}").exists()


@pytest.mark.parametrize(
    ("value", "written"),
    [("a#b", '"a#b"'), (' "', '" \\""'), ("\\", '"\\\\"'), ("\t\n\r", '"\\t\\n\\r"'), ("ö€😀", '"ö€😀"'), ("", '""')],
)
def test_a_value_is_quoted_as_the_clients_read_it(value: str, written: str) -> None:
    assert option_text({"password": value}) == f"[client]\npassword = {written}\n"


@pytest.mark.parametrize(
    ("head", "position"),
    [
        (b"x\n-- CHANGE MASTER TO MASTER_LOG_FILE='binlog.000007', MASTER_LOG_POS=0123;\n", "binlog.000007:123"),
        (b"('-- CHANGE MASTER TO MASTER_LOG_FILE=''binlog.000007'', MASTER_LOG_POS=123;')", ""),
        (b"", ""),
    ],
)
def test_the_position_stands_on_a_line_of_its_own(head: bytes, position: str) -> None:
    assert position_in(head) == position
