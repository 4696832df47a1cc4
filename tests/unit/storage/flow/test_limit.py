from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from incorta_provider.storage.flow import limit as limit_module
from incorta_provider.storage.flow.limit import Limit, override_path
from incorta_provider.storage.flow.override import Override, read_override, set_override
from incorta_provider.storage.records.json_file import read_json

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(tmp_path: Path, clock: Clock) -> Limit:
    (tmp_path / "run").mkdir()
    return Limit(tmp_path, 1000, tmp_path / "run", clock)


def override(rate: int | None) -> Override:
    return Override(bytes_per_second=rate, by="ann", at=AT)


def test_the_topology_holds_until_a_person_sets_another_limit_and_again_when_it_is_cleared(
    limit: Limit, clock: Clock, tmp_path: Path
) -> None:
    assert limit.share() == 1000
    set_override(tmp_path, override(70))
    assert limit.share() == 1000, "it is read once a second"
    clock.now += 1
    assert limit.share() == 70
    set_override(tmp_path, override(None))
    clock.now += 1
    assert limit.share() is None
    set_override(tmp_path, None)
    clock.now += 1
    assert limit.share() == 1000


def test_a_person_can_limit_what_the_topology_does_not(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    set_override(tmp_path, override(5))
    assert read_override(tmp_path) == override(5)
    assert Limit(tmp_path, None, tmp_path / "run").share() == 5


def test_copies_beside_each_other_share_it_and_a_dead_one_gets_nothing(
    limit: Limit, clock: Clock, tmp_path: Path
) -> None:
    records = [tmp_path / "run" / f"progress.{shard:02d}.json" for shard in range(4)]
    for record in records:
        record.write_text("{}")
        os.utime(record, (1000, 1000))
    assert limit.share() == 250
    for record in records[:3]:
        os.utime(record, (1031, 1031))
    clock.now += 1
    assert limit.share() == 333


@pytest.mark.parametrize("damage", ["{", "[]", json.dumps({"by": "x", "at": AT.isoformat()})])
def test_a_file_that_cannot_be_read_leaves_the_limit_as_it_was(
    limit: Limit, clock: Clock, tmp_path: Path, damage: str
) -> None:
    set_override(tmp_path, override(70))
    assert limit.share() == 70
    override_path(tmp_path).write_text(damage)
    clock.now += 1
    assert limit.share() == 70


def test_nothing_per_second_is_no_limit_that_a_person_can_set() -> None:
    with pytest.raises(ValidationError):
        override(0)


def test_a_thread_that_asks_while_another_one_reads_is_limited_too(
    limit: Limit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_override(tmp_path, override(70))
    meanwhile: list[int | None] = []

    def read(path: Path) -> object:
        if not meanwhile:
            meanwhile.append(0)
            meanwhile[0] = limit.share()
        return read_json(path)

    monkeypatch.setattr(limit_module, "read_json", read)
    assert (limit.share(), meanwhile) == (70, [70])
