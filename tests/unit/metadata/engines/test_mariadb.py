from __future__ import annotations

import itertools
from typing import Any

import pytest

from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.metadata.engines import mariadb
from incorta_provider.metadata.engines.mariadb import MariaDb

ENGINE = MariaDb("10.11.19-MariaDB")


def server(*, log_bin: int = 1, only: str = "", ignored: str = "") -> Any:
    def answer(query: str) -> list[tuple[Any, ...]]:
        if "@@log_bin" in query:
            return [(log_bin, "incorta")]
        return [("binlog.000001", 4, only, ignored)]

    return answer


@pytest.mark.parametrize("settings", [{}, {"only": "other,incorta"}, {"ignored": "other"}])
def test_a_binary_log_that_holds_the_schema_will_do(settings: dict[str, str], fake_session: Any) -> None:
    ENGINE.ensure_positions(fake_session(server(**settings)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"log_bin": 0}, "the binary log is off"),
        ({"ignored": "other,incorta"}, "leaves this schema out"),
        ({"only": "other"}, "leaves this schema out"),
    ],
)
def test_a_binary_log_that_tells_no_states_apart_is_refused(
    settings: dict[str, Any], said: str, fake_session: Any
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ENGINE.ensure_positions(fake_session(server(**settings)))


def sessions(fake_session: Any, positions: list[int]) -> list[Any]:
    """Sessions which take their snapshots, one after another, at the given positions."""
    coming = iter(positions)

    def answers() -> Any:
        held = [0]

        def answer(query: str) -> list[tuple[Any, ...]]:
            if query.startswith("START"):
                held[0] = next(coming)
                return []
            if "BINLOG_GTID_POS" in query:
                return [(f"0-1-{held[0]}",)]
            return [("Binlog_snapshot_file", "binlog.000002"), ("Binlog_snapshot_position", str(held[0]))]

        return answer

    return [fake_session(answers()) for _ in range(4)]


@pytest.mark.parametrize(
    ("positions", "shared", "who"),
    [
        ([5, 5, 5, 5], 5, [0, 1, 2, 3]),
        ([5, 6, 6, 6], 6, [1, 2, 3]),
        ([5, 6, 6, 7], 6, [1, 2]),
        ([1, 2, 3, 4, 7, 8, 8, 9], 8, [1, 2]),
    ],
)
def test_the_largest_company_is_used(positions: list[int], shared: int, who: list[int], fake_session: Any) -> None:
    given = sessions(fake_session, positions)
    found = ENGINE.share_snapshot(given)
    assert (found.position, found.gtid) == (f"binlog.000002:{shared}", f"0-1-{shared}")
    assert [given.index(session) for session in found.sessions] == who


def test_a_server_on_which_no_two_are_ever_the_same_is_given_up(
    fake_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mariadb, "ROUNDS", 3)
    with pytest.raises(TransientError, match="no two snapshots were the same in 3 rounds"):
        ENGINE.share_snapshot(sessions(fake_session, list(itertools.islice(itertools.count(), 12))))
