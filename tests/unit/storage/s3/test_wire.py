"""Requests to servers that fall silent, break off, or are none: over plain HTTP and over TLS."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.storage.flow.board import Board
from incorta_provider.storage.flow.throttle import Throttle
from incorta_provider.storage.s3.access import Access, Keys
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.place import Place
from tests.builders.peer import EMPTY, Peer, Serve, answering, certificates, server_tls, serving

WAIT_SECONDS = 0.5
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates(tmp_path_factory.mktemp("tls") / "certificates").folder


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def bucket_at(
    peer: Peer, scheme: str, made: Path, *, patience: float = 0.0, wait: float = 30.0, base: str = ""
) -> Bucket:
    info = ConnectionInfo("aws_dr", "aws")
    access = Access(
        info,
        base or f"{scheme}://127.0.0.1:{peer.port}/b",
        "r",
        Keys("AK", "SK"),
        verify=str(made / "ca.pem"),
        connect_seconds=5.0,
        read_seconds=wait,
    )
    return Bucket(Place("aws_dr", "b"), access, patience=patience)


@contextmanager
def at(
    serve: Serve, scheme: str, made: Path, *, patience: float = 0.0, wait: float = 30.0
) -> Iterator[tuple[Bucket, Peer]]:
    tls = server_tls(certificates(made)) if scheme == "https" else None
    with serving(serve, tls) as peer:
        yield bucket_at(peer, scheme, made, patience=patience, wait=wait), peer


def silent(peer: Peer, connection: socket.socket) -> None:
    peer.request(connection)
    peer.be_silent()


def silent_in_the_body(peer: Peer, connection: socket.socket) -> None:
    peer.request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
    peer.be_silent()


def deaf(peer: Peer, _: socket.socket) -> None:
    peer.be_silent()


@pytest.mark.parametrize("serve", [silent, silent_in_the_body])
def test_a_server_that_falls_silent_is_not_waited_for(scheme: str, made: Path, serve: Serve) -> None:
    with at(serve, scheme, made, wait=WAIT_SECONDS) as (bucket, _), pytest.raises(TransientError, match="fell silent"):
        bucket.send(Request("GET", b"a"))


def test_a_server_that_reads_nothing_is_not_waited_for(scheme: str, made: Path) -> None:
    with at(deaf, scheme, made, wait=WAIT_SECONDS) as (bucket, _), pytest.raises(TransientError, match="took no byte"):
        bucket.send(Request("PUT", b"a", body=bytes(32 * MIB)))


def test_a_handshake_that_is_not_answered_is_transient(made: Path) -> None:
    def drop(peer: Peer, connection: socket.socket) -> None:
        connection.recv(1)

    with serving(drop) as peer, pytest.raises(TransientError, match="no answer from"):
        bucket_at(peer, "https", made).send(Request("HEAD", b"a"))


def test_a_put_that_tls_breaks_off_is_tried_again(made: Path) -> None:
    def drop_first(peer: Peer, connection: socket.socket) -> None:
        if peer.connections == 1:
            connection.recv(1000)
            return
        answering(EMPTY)(peer, connection)

    with at(drop_first, "https", made, patience=30) as (bucket, peer):
        assert bucket.send(Request("PUT", b"a", body=bytes(4 * MIB))).status == 200
        assert peer.connections == 2


def test_connections_that_were_lost_without_a_word_cost_one_wait(scheme: str, made: Path) -> None:
    """A firewall forgets what is idle: all connections of that time are gone, not only the first one that is used."""

    def forgotten(peer: Peer, connection: socket.socket) -> None:
        if peer.connections <= 2:
            peer.request(connection)
            both.wait()
            connection.sendall(EMPTY)
            peer.request(connection)
            peer.be_silent()
        else:
            answering(EMPTY)(peer, connection)

    both = threading.Barrier(2)
    with at(forgotten, scheme, made, patience=30, wait=3.0) as (bucket, peer):  # time for an answer on a busy machine
        with ThreadPoolExecutor(2) as threads:
            assert [one.status for one in threads.map(bucket.send, [Request("HEAD", b"a")] * 2)] == [200, 200]
        assert bucket.send(Request("HEAD", b"a")).status == 200
        assert (peer.connections, len(peer.heads)) == (3, 4)


@pytest.mark.parametrize(("size", "beats"), [(1000, 0), (3 * MIB, 3)])
def test_a_large_body_gives_signs_of_life(made: Path, size: int, beats: int) -> None:
    board = Board()
    with at(answering(EMPTY), "http", made) as (bucket, _), Throttle(board, None).current():
        bucket.send(Request("PUT", b"a", body=bytes(size)))
    assert board.counts().beats == beats


def test_a_large_body_under_tls_gives_more(made: Path) -> None:
    board = Board()
    with at(answering(EMPTY), "https", made) as (bucket, _), Throttle(board, None).current():
        bucket.send(Request("PUT", b"a", body=bytes(MIB)))
    assert board.counts().beats == 16


def test_what_was_given_up_sends_no_further(made: Path) -> None:
    throttle = Throttle(Board(), None)
    with at(answering(EMPTY), "http", made) as (bucket, _), throttle.current():
        bucket.send(Request("HEAD", b"a"))
        throttle.give_up()
        with pytest.raises(TransientError, match="given up"):
            bucket.send(Request("PUT", b"a", body=bytes(3 * MIB)))


def test_a_refusal_that_does_not_wait_for_the_body_is_heard(made: Path) -> None:
    refusal = b"<Error><Code>AccessDenied</Code></Error>"

    def refuse(_: Peer, connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: %d\r\n\r\n%s" % (len(refusal), refusal))

    with (
        at(refuse, "http", made) as (bucket, _),
        pytest.raises(ConfigurationError, match="s3:PutObject on a is not allowed"),
    ):
        bucket.send(Request("PUT", b"a", body=bytes(32 * MIB)))


def test_a_connection_that_is_closed_in_the_middle_of_a_body_is_transient(scheme: str, made: Path) -> None:
    def close(_: Peer, connection: socket.socket) -> None:
        connection.recv(1000)

    with at(close, scheme, made) as (bucket, _), pytest.raises(TransientError, match="no answer from"):
        bucket.send(Request("PUT", b"a", body=bytes(32 * MIB)))


def test_a_proxy_of_plain_http_is_told_the_server_and_who_asks() -> None:
    with serving(answering(EMPTY)) as proxy:
        place = f"http://me:p%40ss@127.0.0.1:{proxy.port}"
        access = Access(ConnectionInfo("aws_dr", "aws"), "http://s3.example/b", "r", Keys("AK", "SK"), proxy=place)
        assert Bucket(Place("aws_dr", "b"), access, patience=0).send(Request("HEAD", b"a")).status == 200
    lines = proxy.heads[0].split(b"\r\n")
    assert lines[0] == b"HEAD http://s3.example/b/a HTTP/1.1"
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in lines


def test_an_object_may_say_that_it_is_an_error(made: Path) -> None:
    content = b"<Error><Code>AccessDenied</Code></Error>"
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(content), content)
    with at(answering(answer), "http", made) as (bucket, _):
        assert bucket.send(Request("GET", b"a")).body == content
        for method in ("PUT", "POST"):
            with pytest.raises(ConfigurationError, match="AccessDenied"):
                bucket.send(Request(method, b"a", {"uploadId": "1"}))


def test_a_body_without_a_length_goes_on_to_the_end_of_the_connection(made: Path) -> None:
    def old(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nab")
        connection.sendall(b"cd")

    with at(old, "http", made) as (bucket, peer):
        assert [bucket.send(Request("GET", b"a")).body for _ in range(2)] == [b"abcd", b"abcd"]
        assert peer.connections == 2


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n", b"HTTP/1.1 fine\r\n\r\n", b"\r\n\r\n"])
def test_a_server_of_another_kind_is_a_setting(made: Path, answer: bytes) -> None:
    with at(answering(answer), "http", made) as (bucket, _), pytest.raises(ConfigurationError, match="is not HTTP"):
        bucket.send(Request("GET", b"a"))


@pytest.mark.parametrize("length", [b"content-length: x", b"transfer-encoding: chunked"])
def test_a_length_that_is_no_number_ends_the_body(made: Path, length: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\n%s\r\n\r\nmuch\r\n" % length
    with at(answering(answer), "http", made) as (bucket, _):
        stream = bucket.send(Request("GET", b"a", stream=True)).stream
        assert stream is not None
        with pytest.raises(ConnectionError, match="length of its body"):
            stream.read()


def test_a_server_without_tls_is_a_setting(made: Path) -> None:
    def plain(_: Peer, connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(plain) as peer, pytest.raises(ConfigurationError, match="WRONG_VERSION_NUMBER"):
        bucket_at(peer, "https", made).send(Request("HEAD", b"a"))


def test_a_client_without_the_certificate_that_is_asked_for_is_a_setting(made: Path) -> None:
    tls = server_tls(certificates(made), asks_client=True)
    with (
        serving(answering(EMPTY), tls) as peer,
        pytest.raises(ConfigurationError, match=r"(?i)certificate.required"),
    ):
        bucket_at(peer, "https", made).send(Request("HEAD", b"a"))


def test_a_certificate_of_another_name_is_a_setting(made: Path) -> None:
    with serving(answering(EMPTY), server_tls(certificates(made))) as peer:
        bucket = bucket_at(peer, "https", made, base=f"https://localhost:{peer.port}/b")
        with pytest.raises(ConfigurationError, match="certificate verify failed"):
            bucket.send(Request("HEAD", b"a"))


def test_a_file_of_certificates_that_is_not_there_is_named(tmp_path: Path) -> None:
    with serving(answering(EMPTY)) as peer, pytest.raises(ConfigurationError, match=r"ca\.pem cannot be used"):
        bucket_at(peer, "https", tmp_path)
