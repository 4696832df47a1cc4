"""Connections are read field by field, tell what is wrong with them, and never show a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.connection import (
    ConnectionInfo,
    connections_from_file,
    from_document,
    parse_extra,
    parse_port,
    remembered,
)
from incorta_provider.exceptions import ConfigurationError

EXPORTED: dict[str, Any] = {
    "conn_type": "mysql",
    "description": None,
    "login": "incorta",
    "password": "s3cret",
    "host": "127.0.0.1",
    "port": 3306,
    "schema": "incorta",
    "extra": '{"ssl_ca": "/etc/ca.pem", "token": "t0ken"}',
}


def export(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_a_connection_is_read_from_an_export(tmp_path: Path) -> None:
    find = connections_from_file(export(tmp_path / "c.json", {"berlin_metadata": EXPORTED}))
    assert find("berlin_metadata") == ConnectionInfo(
        conn_id="berlin_metadata",
        conn_type="mysql",
        host="127.0.0.1",
        port=3306,
        login="incorta",
        password="s3cret",
        schema="incorta",
        extra={"ssl_ca": "/etc/ca.pem", "token": "t0ken"},
    )


@pytest.mark.parametrize("empty", [{}, dict.fromkeys(EXPORTED), dict.fromkeys(EXPORTED, "")])
def test_what_an_export_leaves_out_is_empty(empty: dict[str, Any]) -> None:
    assert from_document("x", empty) == ConnectionInfo(conn_id="x")


def test_neither_password_nor_extra_are_shown() -> None:
    shown = repr(from_document("x", EXPORTED))
    assert "s3cret" not in shown
    assert "t0ken" not in shown
    assert "incorta" in shown


def test_a_connection_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        ConnectionInfo("x").host = "elsewhere"  # type: ignore[misc]


def test_a_missing_id_is_named_with_the_file(tmp_path: Path) -> None:
    path = export(tmp_path / "c.json", {"a": EXPORTED})
    with pytest.raises(ConfigurationError, match="no connection 'b'") as refused:
        connections_from_file(path)("b")
    assert refused.value.where == str(path)


def test_a_missing_file_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file or directory") as refused:
        connections_from_file(tmp_path / "none.json")
    assert refused.value.where == str(tmp_path / "none.json")
    assert refused.value.fix == "Write the file with `airflow connections export FILE.json`."


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'["a"]', b'"a"', b"null", b"5"])
def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="cannot read the connections: ") as refused:
        connections_from_file(path)
    assert refused.value.where == str(path)


@pytest.mark.parametrize("fields", ["mysql://incorta:s3cret@127.0.0.1", None, [], 5])
def test_a_connection_that_was_exported_in_another_form_is_refused_without_showing_it(
    tmp_path: Path, fields: object
) -> None:
    find = connections_from_file(export(tmp_path / "c.json", {"a": fields}))
    with pytest.raises(ConfigurationError, match="the connection is not written as JSON fields") as refused:
        find("a")
    assert refused.value.where == "connection a"
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(("port", "expected"), [(1, 1), (65535, 65535), ("3306", 3306), (None, None), ("", None)])
def test_a_port_is_a_number_or_absent(port: object, expected: int | None) -> None:
    assert parse_port("a", port) == expected


@pytest.mark.parametrize("port", [0, -1, 65536, "0", "-1", "33o6", "3306 ", "3306.0", 3306.0, True, "٣٣", "9" * 5000])
def test_a_port_that_is_none_is_refused(port: object) -> None:
    with pytest.raises(ConfigurationError, match="is not a number from 1 to 65535") as refused:
        parse_port("a", port)
    assert refused.value.where == "connection a"
    assert len(refused.value.what) < 100


@pytest.mark.parametrize(
    ("extra", "expected"),
    [(None, {}), ("", {}), ("{}", {}), ({}, {}), ({"a": 1}, {"a": 1}), ('{"a": {"b": [1]}}', {"a": {"b": [1]}})],
)
def test_the_extra_field_is_text_or_an_object(extra: object, expected: dict[str, Any]) -> None:
    assert parse_extra("a", extra) == expected


@pytest.mark.parametrize("extra", ["s3cret", "[]", '["s3cret"]', "null", "5", '{"a": s3cret}', ["s3cret"], 5])
def test_an_extra_field_that_is_no_object_is_refused_without_showing_it(extra: object) -> None:
    with pytest.raises(ConfigurationError, match="the extra field is not a JSON object") as refused:
        parse_extra("a", extra)
    assert refused.value.where == "connection a"
    assert "s3cret" not in str(refused.value)


def test_what_a_step_needs_is_named_when_it_is_missing() -> None:
    info = ConnectionInfo("a", host="h", extra={"home": "/opt"})
    info.require("host")
    info.require()
    with pytest.raises(ConfigurationError, match="connection has no port, login, password") as refused:
        info.require("host", "port", "login", "password")
    assert refused.value.where == "connection a"


@given(fields=st.dictionaries(st.sampled_from(sorted(EXPORTED)), st.none() | st.text() | st.integers() | st.booleans()))
def test_an_export_is_read_or_refused_whatever_it_holds(fields: dict[str, Any]) -> None:
    try:
        info = from_document("a", fields)
    except ConfigurationError as refused:
        assert refused.where == "connection a"  # noqa: PT017 - either outcome is right
    else:
        assert info.port is None or 0 < info.port < 65536
        assert all(isinstance(text, str) for text in (info.host, info.login, info.password, info.schema))


def test_a_connection_is_asked_for_once_in_so_many_seconds() -> None:
    asked: list[str] = []

    def find(conn_id: str) -> ConnectionInfo:
        asked.append(conn_id)
        return ConnectionInfo(conn_id, host=f"host{len(asked)}")

    find_once, find_always = remembered(find, 3600), remembered(find, -1)
    assert [find_once(name).host for name in ("a", "b", "a")] == ["host1", "host2", "host1"]
    assert [find_always("a").host for _ in range(2)] == ["host3", "host4"]
    assert asked == ["a", "b", "a", "a"]


def test_a_connection_that_was_not_found_is_asked_for_again() -> None:
    made: set[str] = set()

    def find(conn_id: str) -> ConnectionInfo:
        if conn_id not in made:
            raise ConfigurationError(f"no connection {conn_id!r}")
        return ConnectionInfo(conn_id)

    find_once = remembered(find, 3600)
    with pytest.raises(ConfigurationError):
        find_once("a")
    made.add("a")
    assert find_once("a") == ConnectionInfo("a")
