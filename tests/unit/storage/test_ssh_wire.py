"""Messages between worker and agent: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.storage.apply.redo_journal import Step, Verb
from incorta_provider.storage.ssh.steps import pack_steps, unpack_steps
from incorta_provider.storage.ssh.wire import (
    MAX_BODY,
    WireError,
    encode,
    pack_entries,
    pack_numbers,
    pack_rows,
    pack_texts,
    receive,
    unpack_entries,
    unpack_numbers,
    unpack_rows,
    unpack_texts,
)

NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)
TEXTS = st.one_of(st.none(), st.binary(max_size=300))
ENTRIES = st.builds(
    Entry,
    st.binary(min_size=1, max_size=300),
    st.sampled_from(Kind),
    NUMBERS,
    NUMBERS,
    st.integers(0, 0o777),
    st.one_of(st.none(), st.binary(min_size=32, max_size=32)),
    TEXTS,
    TEXTS,
)
ROWS = st.tuples(st.binary(max_size=50), st.integers(0, 2), NUMBERS, NUMBERS, st.integers(0, 0o777), TEXTS, TEXTS)
STEPS = st.builds(Step, st.sampled_from(Verb), st.binary(), st.binary(), st.integers(0, 0o777), NUMBERS, st.booleans())


@given(st.lists(ENTRIES))
def test_entries_come_out_as_they_went_in(entries: list[Entry]) -> None:
    assert unpack_entries(pack_entries(entries)) == entries


@given(st.lists(ROWS))
def test_rows_too(rows: list[tuple[bytes, int, int, int, int, bytes | None, bytes | None]]) -> None:
    assert list(unpack_rows(pack_rows(rows))) == rows


@given(st.lists(TEXTS))
def test_texts_too(texts: list[bytes | None]) -> None:
    assert unpack_texts(pack_texts(texts)) == texts


@given(st.lists(st.tuples(NUMBERS, NUMBERS)))
def test_numbers_too(rows: list[tuple[int, int]]) -> None:
    assert unpack_numbers(pack_numbers(rows), 2) == rows


@given(st.lists(STEPS))
def test_steps_too(steps: list[Step]) -> None:
    assert unpack_steps(*pack_steps(steps)) == steps


@given(st.binary(max_size=200))
def test_noise_is_no_message_and_no_list(noise: bytes) -> None:
    for read in (unpack_entries, unpack_texts, lambda data: list(unpack_rows(data))):
        try:
            read(noise)
        except WireError:
            continue
    try:
        receive(io.BytesIO(noise).read)
    except WireError:
        return


def test_a_stream_of_messages() -> None:
    stream = io.BytesIO(encode({"a": 1}, b"body") + encode({"text": "\udcff"}))
    assert receive(stream.read) == ({"a": 1}, b"body")
    assert receive(stream.read) == ({"text": "\udcff"}, b"")
    assert receive(stream.read) is None


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">II", 1 << 30, 0),
        struct.pack(">II", 2, MAX_BODY + 1) + b"{}",
        struct.pack(">II", 2, 5) + b"{}abc",
        struct.pack(">II", 2, 0) + b"[]",
        struct.pack(">II", 2, 0) + b"{x",
        b"\0\0",
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        receive(io.BytesIO(data).read)


def test_a_small_body_cannot_fill_the_memory() -> None:
    with pytest.raises(WireError, match="too long"):
        unpack_texts(zlib.compress(bytes(5 * MAX_BODY)))


def test_what_is_too_long_is_not_sent() -> None:
    with pytest.raises(WireError, match="too long"):
        encode({}, bytes(MAX_BODY + 1))
