"""What shows that MySQL's snapshots are one state, answered from a script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pymysql
import pytest

from incorta_provider.exceptions import TransientError
from incorta_provider.metadata.engines import mysql
from incorta_provider.metadata.engines.engine import Shared
from incorta_provider.metadata.engines.mysql import MySql

ENGINE = MySql("9.7.4-2")


class Server:
    """Answers with the next of the states that it goes through, and remembers what it was told."""

    def __init__(self, states: list[tuple[str, str]], *, gtid_mode: str = "ON", busy: bool = False) -> None:
        self.states = iter(states)
        self.executed = ""
        self.gtid_mode = gtid_mode
        self.busy = busy
        self.told: list[str] = []

    def answer(self, query: str) -> list[tuple[Any, ...]]:
        self.told.append(query)
        if query.startswith("FLUSH") and self.busy:
            raise pymysql.err.OperationalError(1205, "Lock wait timeout exceeded")
        if "gtid_owned" in query:
            owned, self.executed = next(self.states, ("#7:1", self.executed))
            return [(owned,)]
        answers: dict[str, tuple[Any, ...]] = {
            "SELECT @@GLOBAL.gtid_mode": (self.gtid_mode,),
            "SELECT @@GLOBAL.gtid_executed": (self.executed,),
            "SHOW BINARY LOG STATUS": ("binlog.000001", 42, "", "", self.executed),
        }
        return [answers[query]] if query in answers else []

    def share(self, fake_session: Callable[..., Any]) -> Shared:
        return ENGINE.share_snapshot([fake_session(self.answer) for _ in range(3)])


def test_nothing_under_way_and_the_same_executed_is_one_state(fake_session: Any) -> None:
    server = Server([("", "a:1-5"), ("", "a:1-5")])
    found = server.share(fake_session)
    assert (found.position, found.gtid, len(found.sessions)) == ("binlog.000001:42", "a:1-5", 3)
    assert not [query for query in server.told if "LOCK" in query]


@pytest.mark.parametrize(
    "states",
    [
        pytest.param([("", "a:1-5"), ("", "a:1-6")], id="one was committed meanwhile"),
        pytest.param([("", "a:1-5"), ("a:6#3", "a:1-5")], id="one began meanwhile"),
        pytest.param([("a:6#3", "a:1-5")], id="one was under way before"),
    ],
)
def test_a_round_that_shows_nothing_is_made_again(states: list[tuple[str, str]], fake_session: Any) -> None:
    server = Server([*states, ("", "a:1-9"), ("", "a:1-9")])
    assert server.share(fake_session).gtid == "a:1-9"


@pytest.mark.parametrize("gtid_mode", ["ON", "OFF"])
def test_a_server_without_a_quiet_moment_is_held_still(gtid_mode: str, fake_session: Any) -> None:
    server = Server([("#7:1", "a:1-5")], gtid_mode=gtid_mode)
    found = server.share(fake_session)
    assert (found.position, bool(found.gtid)) == ("binlog.000001:42", gtid_mode == "ON")
    held = server.told.index("FLUSH TABLES WITH READ LOCK")
    begun = [at for at, query in enumerate(server.told) if query.startswith("START TRANSACTION")]
    assert len(begun) == 3
    assert held < min(begun) < max(begun) < server.told.index("UNLOCK TABLES")


def test_one_that_cannot_be_held_still_is_given_up(fake_session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql, "ROUNDS", 3)
    with pytest.raises(TransientError, match="no two snapshots were the same in 3 rounds"):
        Server([], busy=True).share(fake_session)


@pytest.mark.parametrize(("number", "position"), [(0, "log:7"), (1305, "")])
def test_the_savepoint_tells_whether_the_snapshot_is_still_held(number: int, position: str, fake_session: Any) -> None:
    def answer(query: str) -> list[tuple[Any, ...]]:
        assert query == "RELEASE SAVEPOINT incorta_dr_snapshot"
        if number:
            raise pymysql.err.OperationalError(number, "SAVEPOINT incorta_dr_snapshot does not exist")
        return []

    assert ENGINE.position_dumped(fake_session(answer), b"", "log:7") == position


def test_names_changed_with_the_releases() -> None:
    assert (ENGINE.log_status, MySql("8.0.36").log_status) == ("SHOW BINARY LOG STATUS", "SHOW MASTER STATUS")
    assert "SET_ANY_DEFINER" in MySql("8.4.0").global_rights
    assert "SET_USER_ID" in MySql("8.0.36").global_rights
    assert "SET_USER_ID" in MySql("8.0.36").applier_rights
    assert (ENGINE.reset_history, MySql("8.1.0").reset_history) == ("RESET BINARY LOGS AND GTIDS", "RESET MASTER")
    assert [MySql(version).can_be_held for version in ("8.0.22", "8.0.23-0ubuntu0", "8.4.0")] == [False, True, True]


@pytest.mark.parametrize(
    ("shown", "normal"),
    [
        (
            "`a` varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL",
            "`a` varchar(9) COLLATE utf8mb4_bin NOT NULL",
        ),
        ("`a``` text CHARACTER SET latin1 COLLATE latin1_bin", "`a``` text COLLATE latin1_bin"),
        (
            "`a` enum('b)','c''\\\\') CHARACTER SET ascii COLLATE ascii_bin",
            "`a` enum('b)','c''\\\\') COLLATE ascii_bin",
        ),
        ("`a` text CHARACTER SET latin1", "`a` text CHARACTER SET latin1"),
        ("`a` int COMMENT ' CHARACTER SET x COLLATE y'", "`a` int COMMENT ' CHARACTER SET x COLLATE y'"),
        ("`a CHARACTER SET x COLLATE` int", "`a CHARACTER SET x COLLATE` int"),
    ],
)
def test_a_character_set_that_the_collation_implies_is_left_out(shown: str, normal: str) -> None:
    assert ENGINE.normal_column(shown) == normal
