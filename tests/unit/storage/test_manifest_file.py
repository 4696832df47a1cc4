"""The manifest as a file: what goes in comes out, edits touch only their groups, damage is found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incorta_provider.dr.diff import diff
from incorta_provider.dr.manifest import Entry
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.manifest import manifest_file
from incorta_provider.storage.manifest.columns import to_entries
from incorta_provider.storage.manifest.manifest_file import (
    ManifestWriter,
    Totals,
    differing,
    edit,
    read_manifest,
    read_totals,
    select,
)
from tests.builders.storage import HOSTILE_NAMES, file, folder, link

PATHS = st.binary(min_size=1, max_size=6)
ENTRIES = st.one_of(
    st.builds(
        file, PATHS, st.binary(max_size=3), mtime_ns=st.integers(-(2**63), 2**63 - 1), mode=st.integers(0, 0o777)
    ),
    st.builds(folder, PATHS),
    st.builds(link, PATHS, st.binary(min_size=1, max_size=9)),
    st.builds(lambda path: Entry(path, file(path).kind, 2**62, 0, 0), PATHS),
)
LISTS = st.lists(ENTRIES, unique_by=lambda entry: entry.path, max_size=30).map(
    lambda entries: sorted(entries, key=lambda entry: entry.path)
)
EDITS = st.dictionaries(PATHS, st.booleans(), max_size=10)
quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True, params=[1, 32], ids=["row by row", "taken apart"])
def _small_groups(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(manifest_file, "GROUP_ROWS", 4)
    monkeypatch.setattr(manifest_file, "_FEW", request.param)


def written(path: Path, entries: Iterable[Entry]) -> Path:
    with ManifestWriter(path) as writer:
        writer.extend(entries)
    return path


@quick
@given(entries=LISTS)
def test_what_is_written_is_read(tmp_path: Path, entries: list[Entry]) -> None:
    path = written(tmp_path / "m", entries)
    files = [entry for entry in entries if entry.kind == "file"]
    assert list(read_manifest(path)) == entries
    assert read_totals(path) == Totals(len(entries), len(files), sum(entry.size for entry in files))


@quick
@given(entries=LISTS, changes=EDITS)
def test_an_edit_replaces_adds_and_removes(tmp_path: Path, entries: list[Entry], changes: dict[bytes, bool]) -> None:
    edits = [(path, file(path, b"edited") if keep else None) for path, keep in sorted(changes.items())]
    expected = {entry.path: entry for entry in entries}
    for path, entry in edits:
        expected.pop(path, None)
        if entry is not None:
            expected[path] = entry
    totals = edit(written(tmp_path / "m", entries), tmp_path / "m", edits)
    assert list(read_manifest(tmp_path / "m")) == [expected[path] for path in sorted(expected)]
    assert totals == read_totals(tmp_path / "m")


@quick
@given(entries=LISTS, wanted=st.sets(PATHS))
def test_selected_are_the_wanted_ones_that_are_there(tmp_path: Path, entries: list[Entry], wanted: set[bytes]) -> None:
    wanted |= {entry.path for entry in entries[::3]}
    path = written(tmp_path / "m", entries)
    assert list(select(path, sorted(wanted))) == [entry for entry in entries if entry.path in wanted]


@quick
@given(entries=LISTS, changes=EDITS)
def test_what_differs_is_the_same_without_the_groups_that_both_have(
    tmp_path: Path, entries: list[Entry], changes: dict[bytes, bool]
) -> None:
    one = written(tmp_path / "one", entries)
    edits = [(path, file(path, b"edited") if keep else None) for path, keep in sorted(changes.items())]
    edit(one, tmp_path / "other", edits)
    assert list(diff(*differing(one, tmp_path / "other"))) == list(
        diff(read_manifest(one), read_manifest(tmp_path / "other"))
    )


def test_groups_that_both_have_are_not_decoded(tmp_path: Path) -> None:
    one = written(tmp_path / "one", [file(b"%03d" % number) for number in range(100)])
    edit(one, tmp_path / "other", [(b"050", None), (b"077a", file(b"077a"))])
    left, right = (list(entries) for entries in differing(one, tmp_path / "other"))
    assert (len(left), len(right)) == (8, 8)
    assert [list(entries) for entries in differing(one, one)] == [[], []]


def test_hostile_names_are_kept_byte_by_byte(tmp_path: Path) -> None:
    entries = [file(name) for name in sorted(HOSTILE_NAMES)]
    assert list(read_manifest(written(tmp_path / "m", entries))) == entries


def test_groups_that_an_edit_does_not_touch_are_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "m", [file(b"%03d" % number) for number in range(100)])
    decoded: list[int] = []

    def counted(group: pa.Table) -> Iterator[Entry]:
        decoded.append(group.num_rows)
        return to_entries(group)

    monkeypatch.setattr(manifest_file, "to_entries", counted)
    edit(path, tmp_path / "n", [(b"050", None)])
    assert sum(decoded) == (4 if manifest_file._FEW > 1 else 0)


def test_groups_neither_grow_nor_shrink_for_ever(tmp_path: Path) -> None:
    path = written(tmp_path / "m", [file(b"%03d" % number) for number in range(16)])
    for number in range(12):
        edit(path, path, [(b"001%02d" % number, file(b"001%02d" % number)), (b"%03d" % (4 + number), None)])
        with pq.ParquetFile(path) as parquet:
            sizes = [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]
        assert all(2 <= size <= 6 for size in sizes[:-1])
    assert len(list(read_manifest(path))) == 16


def test_entries_out_of_order_are_refused_and_nothing_appears(tmp_path: Path) -> None:
    for second in (b"a", b"b"):
        with pytest.raises(IntegrityError, match="does not sort after b"):
            written(tmp_path / "m", [file(b"b"), file(second)])
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_the_manifest_that_was_there(tmp_path: Path) -> None:
    path = written(tmp_path / "m", [file(b"a")])

    def broken() -> Iterator[Entry]:
        yield file(b"b")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        written(path, broken())
    assert list(read_manifest(path)) == [file(b"a")]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_a_manifest_that_was_cut_is_refused(tmp_path: Path, length: int) -> None:
    path = written(tmp_path / "m", [file(b"%d" % number) for number in range(9)])
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(IntegrityError, match="cannot be read"):
        list(read_manifest(path))


def test_a_flipped_bit_in_the_rows_is_found(tmp_path: Path) -> None:
    path = written(tmp_path / "m", [file(b"%04d" % number) for number in range(9)])
    digests = pq.read_metadata(path).row_group(0).column(5)
    content = bytearray(path.read_bytes())
    content[digests.data_page_offset + digests.total_compressed_size - 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="cannot be read"):
        list(read_manifest(path))


def test_an_absent_manifest_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError) as caught:
        read_totals(tmp_path / "absent")
    assert caught.value.where == str(tmp_path / "absent")


def test_a_file_of_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = manifest_file._schema().with_metadata({b"incorta_dr.manifest": "3"})
    monkeypatch.setattr(manifest_file, "_schema", lambda: schema)
    path = written(tmp_path / "m", [file(b"a")])
    with pytest.raises(IntegrityError, match="has format 3, not 2"):
        list(read_manifest(path))
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    with pytest.raises(IntegrityError, match="has format none"):
        list(read_manifest(path))


def test_any_parquet_tool_can_read_it(tmp_path: Path) -> None:
    """A person with a broken Airflow must be able to see what a point holds."""
    table = pq.read_table(written(tmp_path / "m", [file(b"a", b"123"), folder(b"b")]))
    assert table.column("path").to_pylist() == [b"a", b"b"]
    assert table.column("size").to_pylist() == [3, 0]
    assert table.column("sha256").to_pylist() == [file(b"a", b"123").sha256, None]


def test_a_manifest_needs_no_pandas(tmp_path: Path) -> None:
    """Importing it costs half a second and 50 MB in each task."""
    program = (
        "import sys; from pathlib import Path\n"
        "from incorta_provider.storage.manifest.manifest_file import *\n"
        "from incorta_provider.dr.manifest import Entry, Kind\n"
        "path = Path(sys.argv[1])\n"
        "with ManifestWriter(path) as writer: writer.add(Entry(b'a', Kind.FILE, 1, 1, 1, bytes(32)))\n"
        "edit(path, path, [(b'b', Entry(b'b', Kind.LINK, 1, 1, 1, None, b'x'))])\n"
        "print(len(list(read_manifest(path))), len(list(select(path, [b'b']))), 'pandas' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "m")], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "2 1 False\n"


def test_every_column_is_compressed_by_zstd(tmp_path: Path) -> None:
    path = written(tmp_path / "m", [file(b"a"), folder(b"b"), link(b"c", b"a")])
    group = pq.ParquetFile(path).metadata.row_group(0)
    assert {group.column(number).compression for number in range(group.num_columns)} == {"ZSTD"}
