"""Scripts are cut into statements as the client of the database cuts them."""

from __future__ import annotations

import pytest

from lab.incorta.sql_script import SCHEMA_FILE, object_names, statements


def test_statements_end_at_their_delimiter() -> None:
    script = (
        "-- a word\nSET x = 1;\n\nCREATE TABLE T (\n  A INT -- inner; word\n);\nDELIMITER $$\nCREATE TRIGGER R\nBEGIN\n"
    )
    script += "  DELETE FROM T;\nEND$$\nDELIMITER ;\nSELECT 1;\n"
    assert list(statements(script)) == [
        "SET x = 1",
        "CREATE TABLE T (\n  A INT -- inner; word\n)",
        "CREATE TRIGGER R\nBEGIN\n  DELETE FROM T;\nEND",
        "SELECT 1",
    ]


def test_a_script_that_is_cut_off_is_refused() -> None:
    with pytest.raises(ValueError, match="ends within a statement: 'CREATE TABLE T"):
        list(statements("SELECT 1;\nCREATE TABLE T (\n"))


def test_the_schema_has_every_kind_of_object() -> None:
    script = SCHEMA_FILE.read_text(encoding="utf-8")
    created = [text.split()[1] for text in statements(script) if text.startswith("CREATE")]
    assert set(created) == {"TABLE", "VIEW", "FUNCTION", "PROCEDURE", "TRIGGER", "EVENT"}
    names = object_names(script)
    assert len(names) == len(created)
    assert {"TABLE_FILE", "LIVE_FILE", "QUALIFIED_NAME", "NOTIFY", "LOAD_COMMIT_AUDIT", "KEEP_HEARTBEAT"} <= names
