from __future__ import annotations

from datetime import UTC, datetime

from incorta_provider.dr.fence_mark import FenceMark

MARK = FenceMark(group="acme", run_id="manual__1", by="hana", at=datetime(2026, 11, 25, 12, tzinfo=UTC))


def test_a_second_fence_adds_to_what_the_first_one_changed() -> None:
    first = MARK.with_changes([("incorta", "%")], ["nightly"], read_only=True)
    second = first.with_changes([("incorta", "%"), ("app", "%")], [], read_only=False)
    assert second.accounts == (("incorta", "%"), ("app", "%"))
    assert (second.events, second.read_only) == (("nightly",), True)


def test_a_mark_comes_back_as_it_was_written() -> None:
    mark = MARK.with_changes([("odd'`name", "10.%")], ["ä event"], read_only=True)
    assert FenceMark.model_validate_json(mark.model_dump_json()) == mark
