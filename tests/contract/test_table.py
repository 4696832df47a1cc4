"""The committed table says what the suite found."""

from __future__ import annotations

import pytest

from tests.contract.cells import DOCUMENT, TABLE, Table, read_document, stale


def test_the_committed_table_is_what_this_run_found(pytestconfig: pytest.Config) -> None:
    """Run last; only what this run tried is compared."""
    differing = stale(pytestconfig.stash[TABLE], DOCUMENT.read_text(encoding="utf-8"))
    assert differing == {}, "run `python -m tests.contract.table`"


def test_a_table_is_read_as_it_was_written() -> None:
    table = Table()
    table.add("deep paths", "equal", "file to file", "equal")
    table.add("deep paths", "equal", "file to s3", "refused: a key has 1,024 bytes")
    assert read_document(table.document()) == {
        ("file to file", "deep paths"): "equal",
        ("file to s3", "deep paths"): "refused: a key has 1,024 bytes",
    }
    assert stale(table, table.document()) == {}


def test_what_changed_is_named() -> None:
    table, before = Table(), Table()
    before.add("deep paths", "equal", "file to file", "FAILED")
    table.add("deep paths", "equal", "file to file", "equal")
    table.add("links", "kept", "file to file", "equal")
    assert stale(table, before.document()) == {
        ("file to file", "deep paths"): ("FAILED", "equal"),
        ("file to file", "links"): (None, "equal"),
    }


def test_pairs_that_did_not_run_keep_their_columns() -> None:
    table, before = Table(), Table()
    before.add("deep paths", "equal", "file to file", "equal")
    before.add("gone", "equal", "file to file", "equal")
    before.add("deep paths", "equal", "ssh to ssh", "kept")
    table.add("deep paths", "equal", "ssh to ssh", "equal")
    table.complete(before.document())
    assert table.cells == {"deep paths": {"ssh to ssh": "equal", "file to file": "equal"}}
