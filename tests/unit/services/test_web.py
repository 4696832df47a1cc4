from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from contextlib import suppress

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.services import web
from incorta_provider.services.web import WebClient


def test_a_json_answer(site, says):
    site.answer = lambda _: says(document={"a": 1})
    with WebClient(site.info(), 80) as client:
        answer = client.get("/x", {"Authorization": "Bearer t"})
    assert (answer.status, answer.document, answer.is_html, answer.needs_login) == (200, {"a": 1}, False, False)
    assert site.asked[0].headers["Authorization"] == "Bearer t"


def test_a_form_and_a_document_are_sent(site, says):
    site.answer = lambda _: says(document={})
    with WebClient(site.info(), 80) as client:
        client.post("/form", form={"user": "ä&=", "pass": " "})
        client.post("/document", document={"a": "ä"})
    assert [asked.body for asked in site.asked] == ["user=%C3%A4%26%3D&pass=+", '{"a":"ä"}']


@pytest.mark.parametrize(
    ("status", "html", "needs"),
    [
        (200, "<html>", True),
        (401, "", True),
        (302, "", True),
        (200, "", False),
        (403, "", False),
        (500, "<html>", False),
    ],
)
def test_what_a_session_that_ended_gets(site, says, status, html, needs):
    site.answer = lambda _: says(status, document={}, html=html)
    with WebClient(site.info(), 80) as client:
        assert client.get("/x").needs_login is needs


@pytest.mark.parametrize(
    ("status", "document", "html", "what"),
    [
        (503, {"password": "hunter2"}, "", "reading x: HTTP status 503"),
        (204, {}, "", "reading x: HTTP status 204"),
        (200, ["hunter2"], "", "reading x: the answer is no JSON object"),
        (200, None, "<html>hunter2", "reading x: the answer is a page"),
    ],
)
def test_an_answer_that_is_not_good_is_told_without_its_body(site, says, status, document, html, what):
    site.answer = lambda _: says(status, document=document, html=html)
    with WebClient(site.info(), 80) as client, pytest.raises(TransientError) as caught:
        client.expect(client.get("/x"), "reading x")
    assert caught.value.what == what
    assert "hunter2" not in repr(caught.value)


def test_nobody_at_the_port(free_port):
    info = ConnectionInfo("site", host="127.0.0.1", port=free_port, extra={"scheme": "http"})
    with WebClient(info, 80) as client, pytest.raises(TransientError, match="Connection refused") as caught:
        client.get("/x")
    assert caught.value.where == f"http://127.0.0.1:{free_port}"


def test_a_name_that_is_not_known():
    info = ConnectionInfo("site", host="nowhere.invalid", extra={"scheme": "http"})
    with WebClient(info, 8080) as client, pytest.raises(TransientError, match="GET /x"):
        client.get("/x")


def serving(listener, answer):
    def talk():
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            answer(connection)

    threading.Thread(target=talk, daemon=True).start()
    return ConnectionInfo("site", host="127.0.0.1", port=listener.getsockname()[1], extra={"scheme": "http"})


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_a_server_that_is_silent(listener):
    info = serving(listener, lambda connection: time.sleep(60))
    started = time.monotonic()
    with WebClient(info, 80, timeout=0.3) as client, pytest.raises(TransientError, match=r"no answer within 0\.3 s"):
        client.get("/x")
    assert time.monotonic() - started < 30


def test_a_server_that_drips_its_answer(listener):
    def drip(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
        with suppress(OSError):
            for _ in range(1_200):
                connection.sendall(b" ")
                time.sleep(0.05)

    started = time.monotonic()
    with (
        WebClient(serving(listener, drip), 80, timeout=2) as client,
        pytest.raises(TransientError, match="has no end"),
    ):
        client.get("/x")
    assert time.monotonic() - started < 30


def test_an_answer_that_is_too_large(site, says, monkeypatch):
    monkeypatch.setattr(web, "MAX_BODY", 1000)
    site.answer = lambda _: says(document="x" * 2000)
    with WebClient(site.info(), 80) as client, pytest.raises(TransientError, match="has no end"):
        client.get("/x")


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH_9.9\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}"]
)
def test_something_that_speaks_no_http(listener, answer):
    info = serving(listener, lambda connection: connection.sendall(answer))
    with WebClient(info, 80, timeout=2) as client, pytest.raises(TransientError, match="GET /x"):
        client.get("/x")


def test_no_proxy_and_no_netrc_of_the_environment_are_used(site, says, monkeypatch, tmp_path, free_port):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port}")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    site.answer = lambda _: says(document={})
    with WebClient(site.info(), 80) as client:
        client.get("/x")
    assert "Authorization" not in site.asked[0].headers


def test_a_redirect_is_not_followed(site, says):
    site.answer = lambda _: says(302, document={}, headers={"Location": "/login"})
    with WebClient(site.info(), 80) as client:
        assert client.get("/x").status == 302
    assert [asked.path for asked in site.asked] == ["/x"]


# Certificates


@pytest.fixture
def certificate(tmp_path):
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(["openssl", *words.split(), *files], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path / "cert.pem"


@pytest.fixture
def secure_site(site, says, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    site.answer = lambda _: says(document={"secure": True})
    return site


def test_https_is_the_default_and_its_certificate_is_checked(secure_site):
    info = secure_site.info(extra={"scheme": None})
    with (
        WebClient(info, 443) as client,
        pytest.raises(ConfigurationError, match="certificate is not trusted") as caught,
    ):
        client.get("/x")
    assert "ca_file" in caught.value.fix


@pytest.mark.parametrize("switch", ["ca_file", "verify"])
def test_a_certificate_of_a_ca_of_ones_own(secure_site, certificate, switch):
    extra = {"scheme": "https", "ca_file": str(certificate)} if switch == "ca_file" else {"verify": False}
    with WebClient(secure_site.info(extra={"scheme": "https", **extra}), 443) as client:
        assert client.get("/x").document == {"secure": True}


@pytest.mark.parametrize(
    ("extra", "what"),
    [
        ({"scheme": "ftp"}, "scheme 'ftp' is neither http nor https"),
        ({"ca_file": "/nowhere/ca.pem"}, "there is no ca_file /nowhere/ca.pem"),
    ],
)
def test_a_setting_that_is_wrong(extra, what):
    with pytest.raises(ConfigurationError) as caught:
        WebClient(ConnectionInfo("site", host="127.0.0.1", extra=extra), 80)
    assert (caught.value.what, caught.value.where) == (what, "connection site")


def test_a_ca_file_without_a_certificate(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ConfigurationError, match="holds no certificate"):
        WebClient(ConnectionInfo("site", host="127.0.0.1", extra={"ca_file": str(tmp_path / "ca.pem")}), 80)


def test_a_connection_without_a_host():
    with pytest.raises(ConfigurationError, match="has no host"):
        WebClient(ConnectionInfo("site"), 80)


@pytest.mark.parametrize(("host", "place"), [("a", "https://a:6060"), ("::1", "https://[::1]:6060")])
def test_the_port_of_an_unchanged_installation(host, place):
    with WebClient(ConnectionInfo("site", host=host), 6060) as client:
        assert client.place == place
