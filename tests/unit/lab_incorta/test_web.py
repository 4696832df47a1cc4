"""The small web server answers what its routes say, and nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from incorta_provider.exceptions import ConfigurationError
from lab.incorta.web import Request, Response, Route, html_response, json_response, serving


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def echo(request: Request) -> Response:
    return json_response(
        {
            "groups": request.groups,
            "query": request.query,
            "json": request.json(),
            "form": request.form(),
            "bearer": request.bearer(),
        },
        status=202,
        headers=[("X-Mark", "ü".encode().hex())],
    )


def fail(_: Request) -> Response:
    raise RuntimeError("out of order")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    number = free_port()
    routes = [
        Route("POST", "/things/([^/]+)/([^/]+)", echo),
        Route("GET", "/page", lambda _: html_response("<p>Grüße</p>")),
        Route("GET", "/fail", fail),
    ]
    with serving(number, routes):
        yield number


@pytest.fixture
def client(port: int) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as opened:
        yield opened


def test_a_handler_gets_everything_that_was_asked(client: httpx.Client) -> None:
    answer = client.post("/things/a%20b/%C3%BC?x=1", json={"k": [1]}, headers={"Authorization": "bearer  abc"})
    assert answer.status_code == 202
    assert answer.headers["x-mark"] == "c3bc"
    assert answer.json() == {
        "groups": ["a b", "ü"],
        "query": {"x": "1"},
        "json": {"k": [1]},
        "form": {},
        "bearer": "abc",
    }


def test_a_form_is_read_and_no_json_is_an_empty_object(client: httpx.Client) -> None:
    found = client.post("/things/a/b", data={"user": "Zoë & co"}).json()
    assert (found["form"], found["json"], found["bearer"]) == ({"user": "Zoë & co"}, {}, "")
    assert client.post("/things/a/b", content=b"[1]").json()["json"] == {}


def test_pages_paths_that_there_are_not_and_other_methods(client: httpx.Client) -> None:
    assert client.get("/page").text == "<p>Grüße</p>"
    assert client.get("/pages").status_code == 404
    assert client.post("/page").status_code == 404


def test_a_fault_is_answered_and_the_server_goes_on(client: httpx.Client) -> None:
    answer = client.get("/fail")
    assert (answer.status_code, answer.json()) == (500, {"message": "RuntimeError: out of order"})
    assert client.get("/page").status_code == 200


def test_a_taken_port_is_named_and_a_left_one_is_free(port: int) -> None:
    with pytest.raises(ConfigurationError, match=f"cannot listen at port {port}"), serving(port, []):
        pass
    other = free_port()
    for _ in range(2):
        with serving(other, []):
            pass
