from __future__ import annotations

import socket

import pytest

from incorta_provider.services.ports import Port, port_problem, probe


def test_an_open_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert probe("127.0.0.1", port) == (Port.OPEN, "")
        assert port_problem("127.0.0.1", port) is None


def test_a_closed_port(free_port):
    assert probe("127.0.0.1", free_port) == (Port.CLOSED, f"nobody listens at 127.0.0.1:{free_port}")
    assert port_problem("127.0.0.1", free_port) == f"nobody listens at 127.0.0.1:{free_port}"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "no answer from far:80 within 5 s"),
        (OSError(113, "No route to host"), "far:80 cannot be reached: No route to host"),
        (socket.gaierror(-2, "Name or service not known"), "far:80 cannot be reached: Name or service not known"),
    ],
)
def test_silence_is_no_proof_that_nobody_listens(monkeypatch, error, reason):
    def fail(*args, **options):
        raise error

    monkeypatch.setattr(socket, "create_connection", fail)
    assert probe("far", 80) == (Port.UNKNOWN, reason)
