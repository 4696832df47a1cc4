"""The breaker trips on what a person should see, says what it saw, and lets the rest pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from incorta_provider.dr.breaker import Facts, Limits, Share, tally, tripped
from incorta_provider.dr.diff import diff
from incorta_provider.dr.manifest import Entry
from tests.builders.storage import file, folder, link


def facts(old: Iterable[Entry], new: Iterable[Entry]) -> Facts:
    """Hold two lists of entries against each other, as the step does with manifests."""
    before, after = sorted(old, key=lambda entry: entry.path), sorted(new, key=lambda entry: entry.path)
    count = [sum(entry.kind == "file" for entry in entries) for entries in (before, after)]
    return tally(diff(before, after), base_files=count[0], files=count[1])


def files(number: int, prefix: bytes = b"t/a/", content: bytes = b"x") -> list[Entry]:
    return [file(prefix + b"%05d" % place, content) for place in range(number)]


class TestTally:
    def test_files_are_counted_by_what_happened_to_them(self) -> None:
        old = [folder(b"t"), file(b"t/gone", b"123"), file(b"t/kept"), file(b"t/other", b"1"), link(b"t/l", b"kept")]
        new = [folder(b"t"), file(b"t/kept"), file(b"t/new", b"12"), file(b"t/other", b"2345")]
        assert facts(old, new) == Facts(
            base_files=3,
            files=3,
            added=Share(1, 2, ((b"t", 1),), (b"t/new",)),
            changed=Share(1, 4, ((b"t", 1),), (b"t/other",)),
            removed=Share(1, 3, ((b"t", 1),), (b"t/gone",)),
        )

    def test_times_and_modes_are_no_change_of_content(self) -> None:
        found = facts([file(b"a", mtime_ns=1), file(b"b", mode=0o600)], [file(b"a", mtime_ns=2), file(b"b")])
        assert found.changed == Share()

    def test_a_file_that_became_a_folder_is_removed_and_one_that_was_a_link_is_added(self) -> None:
        found = facts([file(b"a"), link(b"b", b"a")], [folder(b"a"), file(b"b")])
        assert (found.removed.examples, found.added.examples, found.changed.files) == ((b"a",), (b"b",), 0)

    def test_folders_with_the_most_come_first_and_few_are_named(self) -> None:
        old = [entry for n in range(1, 8) for entry in files(n, b"acme/table%d/deep/er/" % n)] + files(2, b"")
        found = facts(old, [])
        assert found.removed.folders == tuple((b"acme/table%d" % n, n) for n in (7, 6, 5, 4, 3))
        assert found.removed.examples == (b"00000", b"00001", b"acme/table1/deep/er/00000")
        assert found.removed.files == 30

    def test_a_tally_stays_small(self) -> None:
        found = facts([file(b"%06d/x" % n) for n in range(10_050)], [])
        assert found.removed.files == 10_050
        assert found.removed.folders[0] == (b"(others)", 50)


class TestTripped:
    def test_the_first_point_has_nothing_to_lose(self) -> None:
        first = tally(diff([], files(5)), base_files=None, files=5)
        assert tripped(first, Limits()) == []

    def test_too_much_removed(self) -> None:
        held = tripped(facts(files(300, b"acme/sales/") + files(100, b"b/"), files(100, b"b/")), Limits())
        assert held == [
            "300 of 400 files (75.0 %) were removed, allowed are 40 %: 300 in acme/sales/; "
            "such as acme/sales/00000, acme/sales/00001, acme/sales/00002"
        ]

    def test_more_than_half_changed(self) -> None:
        held = tripped(facts(files(300), files(299, content=b"\0\1") + files(300)[299:]), Limits())
        assert len(held) == 1
        assert held[0].startswith("299 of 300 files (99.7 %) were changed, allowed are 50 %: 299 in t/a/; such as ")

    @pytest.mark.parametrize(("removed", "trips"), [(100, False), (101, True), (1000, True)])
    def test_few_files_may_go_whatever_their_share_is(self, removed: int, trips: bool) -> None:
        assert bool(tripped(facts(files(removed), [file(b"z")]), Limits())) is trips

    @pytest.mark.parametrize(("removed", "trips"), [(400, False), (401, True), (500, True)])
    def test_exactly_the_share_may_go(self, removed: int, trips: bool) -> None:
        assert bool(tripped(facts(files(1000), files(1000)[removed:]), Limits())) is trips

    def test_a_number_holds_however_small_its_share_is(self) -> None:
        limits = Limits(max_removed_files=3, max_changed_files=2)
        many = files(10_000)
        assert tripped(facts(many, many[3:]), limits) == []
        (held,) = tripped(facts(many, many[4:]), limits)
        assert held.startswith("4 of 10000 files (0.0 %) were removed, allowed are 3: 4 in t/a/;")
        changed = files(3, content=b"new") + many[3:]
        (held,) = tripped(facts(many, changed), limits)
        assert held.startswith("3 of 10000 files (0.0 %) were changed, allowed are 2:")

    def test_every_reason_is_named(self) -> None:
        limits = Limits(max_removed_files=1, max_changed_files=0, min_files=9)
        held = tripped(facts(files(4), files(2, content=b"other")), limits)
        assert [reason.split(",")[0] for reason in held] == [
            "2 file(s) are left",
            "2 of 4 files (50.0 %) were removed",
            "2 of 4 files (50.0 %) were changed",
        ]

    def test_a_name_that_could_spoil_a_terminal_is_written_out(self) -> None:
        (held,) = tripped(facts([file(b"a\x1b[31m\n\xff/b")], []), Limits(max_removed_files=0, min_files=0))
        assert held.endswith(r"1 in a\x1b[31m\n\xff/; such as a\x1b[31m\n\xff/b")

    @given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 400))
    def test_adding_files_never_trips_it(self, base: int, added: int, allowed: int) -> None:
        grown = Facts(base, base + added, Share(added), Share(), Share())
        assert tripped(grown, Limits(min_files=0, allow_files=allowed)) == []

    @given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 300), st.floats(0, 100))
    def test_more_is_never_less_of_a_reason(self, removed: int, more: int, base: int, percent: float) -> None:
        limits = Limits(max_removed_percent=percent, min_files=0, allow_files=10)
        one, other = (Facts(base, 0, Share(), Share(), Share(count)) for count in (removed, removed + more))
        assert not tripped(one, limits) or tripped(other, limits)


@pytest.mark.parametrize(
    "document",
    [
        {"max_removed_percent": 101},
        {"max_changed_percent": -1},
        {"allow_files": -1},
        {"marker": "/mnt/berlin/marker"},
        {"marker": ""},
        {"max_deleted": 3},
    ],
)
def test_limits_that_make_no_sense_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate(document)
