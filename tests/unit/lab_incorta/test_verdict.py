"""The judgement on a restored site: everything up to some commit, nothing half, nothing invented."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lab.incorta.checker import RestoredCommits, verdict

TABLES = frozenset({"A", "B"})


def restored(*counters: int, faults: dict[int, list[str]] | None = None) -> RestoredCommits:
    return RestoredCommits(dict.fromkeys(counters, TABLES), faults or {})


def reported(*counters: int) -> dict[int, frozenset[str]]:
    return dict.fromkeys(counters, TABLES)


@given(total=st.integers(0, 30), kept=st.integers(0, 30))
def test_a_prefix_of_the_commits_is_right_and_the_rest_is_lost(total: int, kept: int) -> None:
    kept = min(kept, total)
    found = verdict(reported(*range(1, total + 1)), restored(*range(1, kept + 1)))
    assert found.problems == ()
    assert found.commits_restored == tuple(range(1, kept + 1))
    assert found.lost == tuple(range(kept + 1, total + 1))


def test_a_gap_is_a_problem() -> None:
    found = verdict(reported(1, 2, 3, 4), restored(1, 4))
    assert found.lost == (2, 3)
    assert found.problems == (
        "commit 2 is missing while the later commit 4 is there",
        "commit 3 is missing while the later commit 4 is there",
    )


def test_a_faulty_commit_is_half_and_lost() -> None:
    found = verdict(reported(1, 2), restored(1, 2, faults={2: ["a file is missing"]}))
    assert (found.commits_restored, found.commits_half, found.lost) == ((1,), (2,), (2,))
    assert found.problems == ("commit 2 is half: a file is missing",)


def test_a_commit_with_fewer_tables_than_reported_is_half() -> None:
    found = verdict({1: frozenset({"A", "B", "C"})}, restored(1))
    assert found.commits_half == (1,)
    assert found.problems == ("commit 1 is half: has no C",)


def test_one_commit_beyond_the_log_is_right_for_the_site_died_before_the_report() -> None:
    assert verdict(reported(1, 2), restored(1, 2, 3)).problems == ()
    assert verdict({}, restored(1)).problems == ()


def test_other_commits_that_nobody_reported_are_a_problem() -> None:
    assert verdict(reported(1, 3), restored(1, 2, 3)).problems == ("commit 2 was never reported by the workload",)
    assert verdict(reported(1), restored(1, 2, 3)).problems == ("commit 2 was never reported by the workload",)


def test_nothing_restored_means_all_lost() -> None:
    found = verdict(reported(1, 2), restored())
    assert (found.lost, found.commits_restored, found.problems) == ((1, 2), (), ())
