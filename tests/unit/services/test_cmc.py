from __future__ import annotations

import base64

import pytest

from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.services.cmc import CmcClient

LOGIN = "/cmc/api/v1/auth/login"
LOGIN_PAGE = "<!DOCTYPE html><html><body>Please sign in.</body></html>"


@pytest.fixture
def cmc(site, says):
    """A CMC with one good token at a time; the test may end the session or change what it says."""

    class Cmc:
        tokens = 0
        valid = ""
        cluster = says(document={"name": "acme", "nodes": [], "database": {"password": "hunter2"}})
        token_key = "token"
        ended = says(html=LOGIN_PAGE)

        def answer(self, asked):
            if asked.path == LOGIN:
                expected = base64.b64encode(b"admin:Tr0ub4dor&3").decode()
                if asked.headers.get("Authorization") != f"Basic {expected}":
                    return says(401, document={"message": "wrong"})
                self.tokens += 1
                self.valid = f"token-{self.tokens}"
                return says(document={self.token_key: self.valid})
            if asked.headers.get("Authorization") != f"Bearer {self.valid}":
                return self.ended
            return self.cluster

    made = Cmc()
    site.answer = made.answer
    return made


def test_the_cluster_is_read_after_a_login(site, cmc):
    with CmcClient.from_connection(site.info()) as client:
        assert client.cluster("acme").name == "acme"
        assert client.cluster("acme").name == "acme"
    assert [asked.path for asked in site.asked] == [LOGIN, *["/cmc/api/v1/clusters/acme"] * 2]


@pytest.mark.parametrize("key", ["token", "access_token", "accessToken", "jwt"])
def test_the_token_goes_by_several_names(site, cmc, key):
    cmc.token_key = key
    with CmcClient.from_connection(site.info()) as client:
        assert client.cluster("acme").name == "acme"


def test_the_clusters_name_is_quoted(site, cmc):
    with CmcClient.from_connection(site.info()) as client:
        client.cluster("a/b c?")
    assert site.asked[-1].path == "/cmc/api/v1/clusters/a%2Fb%20c%3F"


@pytest.mark.parametrize("kind", ["page", "status", "redirect"])
def test_a_session_that_ended_is_renewed_once(site, cmc, says, kind):
    cmc.ended = {
        "page": says(html=LOGIN_PAGE),
        "status": says(401, document={}),
        "redirect": says(302, document={}, headers={"Location": "/cmc"}),
    }[kind]
    with CmcClient.from_connection(site.info()) as client:
        client.cluster("acme")
        cmc.valid = "another"
        assert client.cluster("acme").name == "acme"
    assert cmc.tokens == 2


def test_a_session_that_never_holds_is_told(site, cmc):
    with CmcClient.from_connection(site.info()) as client:
        cmc.cluster = cmc.ended
        with pytest.raises(TransientError, match="cluster acme at the CMC: the answer is a page"):
            client.cluster("acme")
    assert cmc.tokens == 2


def test_a_wrong_password_is_told_without_it(site, cmc):
    with (
        CmcClient.from_connection(site.info(password="hunter3")) as client,
        pytest.raises(ConfigurationError) as caught,
    ):
        client.login()
    assert caught.value.what == "the CMC refuses the login of 'admin'"
    assert "hunter3" not in repr(caught.value)


def test_a_cluster_that_is_not_there(site, cmc, says):
    cmc.cluster = says(404, document={"message": "no cluster"})
    with (
        CmcClient.from_connection(site.info()) as client,
        pytest.raises(ConfigurationError, match="knows no cluster 'prod'"),
    ):
        client.cluster("prod")


@pytest.mark.parametrize("status", [500, 502, 503, 204])
def test_a_fault_of_the_cmc_may_pass(site, cmc, says, status):
    cmc.cluster = says(status, document={"password": "hunter2"})
    with CmcClient.from_connection(site.info()) as client, pytest.raises(TransientError) as caught:
        client.cluster("acme")
    assert caught.value.what == f"cluster acme at the CMC: HTTP status {status}"
    assert "hunter2" not in repr(caught.value)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"html": LOGIN_PAGE}, "login at the CMC: the answer is a page"),
        ({"document": {}}, "login at the CMC: the answer holds no token"),
        ({"document": {"token": ""}}, "login at the CMC: the answer holds no token"),
        ({"status": 503, "document": {}}, "login at the CMC: HTTP status 503"),
    ],
)
def test_a_login_that_gives_nothing(site, says, said, what):
    site.answer = lambda _: says(**said)
    with CmcClient.from_connection(site.info()) as client, pytest.raises(TransientError) as caught:
        client.login()
    assert caught.value.what == what


@pytest.mark.parametrize("field", ["login", "password", "host"])
def test_a_connection_that_lacks_a_field(site, field):
    info = site.info(**{field: ""}) if field != "host" else None
    with pytest.raises(ConfigurationError, match=f"connection has no {field}"):
        CmcClient.from_connection(info or type(site.info())("site", login="a", password="b"))
