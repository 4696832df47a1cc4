"""Every file that the metadata names is in the manifest, as the metadata says, or is told by its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.manifest import Entry, Kind, sort_key
from incorta_provider.dr.references import Fault, Reference, account

SHA, OTHER = bytes(range(32)), bytes(32)


def entry(path: bytes, kind: Kind = Kind.FILE, *, size: int = 10, sha256: bytes | None = SHA) -> Entry:
    return Entry(path=path, kind=kind, size=size, mtime_ns=0, mode=0o644, sha256=sha256)


def told(references: Iterable[Reference], entries: Iterable[Entry]) -> list[str]:
    return [str(fault) for fault in account(references, entries, lambda path: False)]


def orphans(references: Iterable[Reference], entries: Iterable[Entry], *, below: bytes = b"") -> list[Fault]:
    return [fault for fault in account(references, entries, lambda path: path.startswith(below)) if fault.orphan]


def test_what_is_there_as_named_is_met() -> None:
    entries = [entry(b"a"), entry(b"a-b"), entry(b"a/x"), entry(b"b")]
    references = [
        Reference(b"a"),
        Reference(b"a/x", size=10),
        Reference(b"a/x", size=10, sha256=SHA.hex()),
        Reference(b"b", sha256=SHA.hex().upper()),
    ]
    assert told(references, entries) == []


@pytest.mark.parametrize(
    ("reference", "found", "reason"),
    [
        (Reference(b"a/x"), None, "named by the metadata, not in the manifest"),
        (Reference(b"a/x"), entry(b"a/X"), "named by the metadata, not in the manifest"),
        (Reference(b"a/x"), entry(b"a/x/y"), "named by the metadata, not in the manifest"),
        (Reference(b"a/x"), entry(b"a"), "named by the metadata, not in the manifest"),
        (Reference(b"a/x"), entry(b"a/x", Kind.DIR), "named by the metadata as a file, is a dir"),
        (Reference(b"a/x"), entry(b"a/x", Kind.LINK), "named by the metadata as a file, is a link"),
        (Reference(b"a/x", size=11), entry(b"a/x"), "the metadata says 11 bytes, the file has 10"),
        (Reference(b"a/x", size=0), entry(b"a/x"), "the metadata says 0 bytes, the file has 10"),
        (Reference(b"a/x", 10, OTHER.hex()), entry(b"a/x"), "its digest is not the one in the metadata"),
        (Reference(b"a/x", 10, ""), entry(b"a/x"), "its digest is not the one in the metadata"),
        (Reference(b"a/x", 10, "no hex"), entry(b"a/x"), "its digest is not the one in the metadata"),
        (
            Reference(b"a/x", 10, SHA.hex()),
            entry(b"a/x", sha256=None),
            "the metadata says a digest, the manifest has none to compare it with",
        ),
    ],
)
def test_what_is_not_as_named_is_told(reference: Reference, found: Entry | None, reason: str) -> None:
    assert told([reference], [found] if found else []) == [f"a/x: {reason}"]


def test_a_file_without_a_known_size_and_digest_needs_only_to_be_there() -> None:
    assert told([Reference(b"a")], [entry(b"a", size=0, sha256=None)]) == []


def test_a_name_that_is_no_text_is_told_on_one_line() -> None:
    assert told([Reference(b"a\n\xff")], []) == ["a\\n\\xff: named by the metadata, not in the manifest"]


def test_a_path_that_is_named_twice_is_told_twice() -> None:
    assert len(told([Reference(b"a"), Reference(b"a")], [entry(b"b")])) == 2
    assert told([Reference(b"b"), Reference(b"b")], [entry(b"a"), entry(b"b")]) == []


def test_a_file_that_the_metadata_ought_to_name_is_an_orphan() -> None:
    entries = [
        entry(b"s", Kind.DIR),
        entry(b"s/a"),
        entry(b"s/b"),
        entry(b"s/c", Kind.LINK),
        entry(b"t"),
        entry(b"u/z"),
    ]
    assert orphans([Reference(b"s/a", 99), Reference(b"s/a")], entries, below=b"s") == [
        Fault("s/b: 10 bytes that the metadata do not name", orphan=True)
    ]
    assert [str(fault).partition(":")[0] for fault in orphans([], entries)] == ["s/a", "s/b", "t", "u/z"]


def test_both_streams_are_read_once() -> None:
    entries = (entry(b"%03d" % number) for number in range(1000))
    assert len(orphans(iter([Reference(b"002"), Reference(b"005")]), entries)) == 998
    assert next(entries, None) is None


paths = st.lists(st.sampled_from([b"a", b"b", b"-", b".", b"\xff", b"a b"]), min_size=1, max_size=3).map(b"/".join)
digests = st.sampled_from([SHA, OTHER])
manifests = st.dictionaries(
    paths,
    st.tuples(st.sampled_from(Kind), st.integers(0, 2), st.none() | digests),
    max_size=12,
)
references = st.lists(
    st.builds(
        Reference,
        paths,
        st.none() | st.integers(0, 2),
        st.none() | digests.map(bytes.hex) | digests.map(lambda digest: digest.hex().upper()),
    ),
    max_size=12,
)


def is_met(reference: Reference, manifest: dict[bytes, Any]) -> bool:
    """Say with a dictionary what the merge must say."""
    if reference.path not in manifest:
        return False
    kind, size, sha256 = manifest[reference.path]
    return (
        kind is Kind.FILE
        and reference.size in {None, size}
        and (reference.sha256 is None or (sha256 is not None and reference.sha256.lower() == sha256.hex()))
    )


@given(manifest=manifests, wanted=references)
def test_the_merge_tells_what_a_dictionary_tells(manifest: dict[bytes, Any], wanted: list[Reference]) -> None:
    ordered = sorted(wanted, key=lambda reference: sort_key(reference.path))
    entries = [
        entry(path, kind, size=size, sha256=sha256)
        for path, (kind, size, sha256) in sorted(manifest.items(), key=lambda item: sort_key(item[0]))
    ]
    expected = [reference.path for reference in ordered if not is_met(reference, manifest)]
    found = told(ordered, entries)
    assert [sentence.partition(": ")[0] for sentence in found] == [
        path.decode(errors="backslashreplace") for path in expected
    ]
    named = {reference.path for reference in wanted}
    alone = [path for path, (kind, *_) in manifest.items() if kind is Kind.FILE and path not in named]
    assert [str(fault).partition(": ")[0] for fault in orphans(ordered, entries)] == [
        path.decode(errors="backslashreplace") for path in sorted(alone, key=sort_key)
    ]


@given(manifest=manifests, wanted=references, data=st.data())
def test_a_wrong_order_never_hides_a_missing_file(
    manifest: dict[bytes, Any], wanted: list[Reference], data: st.DataObject
) -> None:
    """Whoever hands the streams over unsorted gets false alarms, and never a false "all is there"."""
    shuffled = data.draw(st.permutations(sorted(manifest)))
    entries = [entry(path, manifest[path][0], size=manifest[path][1], sha256=manifest[path][2]) for path in shuffled]
    missing = sum(not is_met(reference, manifest) for reference in wanted)
    assert len(told(wanted, entries)) >= missing
