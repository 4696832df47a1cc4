from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.services.analytics import AnalyticsClient, SchemaStatus

UP = "/incorta/service/user/isLoggedIn"
LOGIN = "/incorta/authservice/login"
API = "/incorta/api/v2/acme/"


@pytest.fixture
def analytics(site, says):
    class Analytics:
        open = True
        valid = ""
        logins = 0
        gives_token = True

        def __init__(self):
            self.api = {
                "schema/list": {"schemas": [{"schemaName": "FLIGHTS", "status": "Succeeded"}], "total": 1},
                "schema/FLIGHTS/status": {"status": "Succeeded"},
                "schema/load": {"status": "In Queue"},
                "query": {"rows": 42},
            }

        def answer(self, asked):
            if asked.path == UP:
                return says(document={"isLoggedIn": False})
            if asked.path == LOGIN:
                return self.login(parse_qs(asked.body))
            if asked.headers.get("Authorization") != f"Bearer {self.valid}":
                return says(401, document={})
            if not self.open:
                return says(503, document={"message": "starting"})
            name = asked.path.removeprefix(API)
            return says(document=self.api[name]) if name in self.api else says(404, document={})

        def login(self, form):
            if form != {"tenant": ["acme"], "user": ["admin"], "pass": ["Tr0ub4dor&3"]}:
                return says(401, document={})
            self.logins += 1
            self.valid = f"token-{self.logins}"
            return says(document={"accessToken": self.valid} if self.gives_token else {"ok": True})

    made = Analytics()
    site.answer = made.answer
    return made


def client(site, **changes):
    return AnalyticsClient.from_connection(site.info(**changes))


def test_the_web_application_is_up(site, analytics):
    with client(site) as opened:
        opened.is_up()
    assert [asked.path for asked in site.asked] == [UP]


def test_a_page_at_its_port_is_not_the_web_application(site, says):
    site.answer = lambda _: says(html="<html>another application</html>")
    with client(site) as opened, pytest.raises(TransientError, match="isLoggedIn: the answer is a page"):
        opened.is_up()


def test_the_api_is_used_after_a_login(site, analytics):
    with client(site) as opened:
        assert opened.schemas() == ["FLIGHTS"]
        assert opened.schema_status("FLIGHTS") is SchemaStatus.SUCCEEDED
        assert opened.row_count("FLIGHTS", "flights") == 42
        opened.load_from_staging("FLIGHTS")
    assert analytics.logins == 1
    assert [json.loads(asked.body) for asked in site.asked[-2:]] == [
        {"schema": "FLIGHTS", "table": "flights"},
        {"schemaName": "FLIGHTS", "loadSource": "STAGING"},
    ]


def test_the_tenant_of_the_topology_goes_before_the_connections(site, says):
    site.answer = lambda asked: says(401, document={}) if asked.path == LOGIN else says(404)
    with (
        AnalyticsClient.from_connection(site.info(), "other") as opened,
        pytest.raises(ConfigurationError, match="'other'"),
    ):
        opened.login()


def test_without_a_tenant_there_is_no_client(site):
    with pytest.raises(ConfigurationError, match="connection has no schema"):
        client(site, schema="")


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_wrong_password_is_told_without_it(site, says, status):
    site.answer = lambda _: says(status, document={})
    with client(site, password="hunter3") as opened, pytest.raises(ConfigurationError) as caught:
        opened.login()
    assert caught.value.what == "Analytics refuses the login of 'admin' to tenant 'acme'"
    assert "hunter3" not in repr(caught.value)


def test_a_session_that_ended_is_renewed_once(site, analytics):
    with client(site) as opened:
        opened.schemas()
        analytics.valid = "another"
        assert opened.schemas() == ["FLIGHTS"]
    assert analytics.logins == 2


def test_a_personal_access_token_needs_no_login(site, analytics):
    analytics.valid = "personal"
    with client(site, extra={"token": "personal"}) as opened:
        assert opened.schemas() == ["FLIGHTS"]
        opened.login()
        analytics.valid = "personal"
        assert opened.schemas() == ["FLIGHTS"]


def test_a_personal_access_token_that_is_refused(site, analytics):
    with (
        client(site, extra={"token": "hunter2"}) as opened,
        pytest.raises(ConfigurationError, match="refuses the API token") as caught,
    ):
        opened.schemas()
    assert "hunter2" not in repr(caught.value)
    assert analytics.logins == 0


def test_a_login_that_gives_no_token_says_what_is_needed(site, analytics):
    analytics.gives_token = False
    with client(site) as opened, pytest.raises(ConfigurationError, match="gives no API token") as caught:
        opened.schemas()
    assert "personal access token" in caught.value.fix


def test_an_engine_that_is_starting(site, analytics):
    analytics.open = False
    with client(site) as opened, pytest.raises(TransientError, match="list of schemas: HTTP status 503"):
        opened.schemas()


@pytest.mark.parametrize("call", ["schema_status", "load_from_staging"])
def test_a_schema_that_is_not_there(site, analytics, call):
    del analytics.api["schema/load"]
    with client(site) as opened, pytest.raises(ConfigurationError, match="Analytics has no schema NONE"):
        getattr(opened, call)("NONE")


def test_a_table_that_is_not_there(site, analytics):
    del analytics.api["query"]
    with client(site) as opened, pytest.raises(ConfigurationError, match=r"no table FLIGHTS\.none"):
        opened.row_count("FLIGHTS", "none")


@pytest.mark.parametrize("status", list(SchemaStatus))
def test_every_documented_status_is_known(site, analytics, status):
    analytics.api = {"schema/FLIGHTS/status": {"status": str(status)}}
    with client(site) as opened:
        assert opened.schema_status("FLIGHTS") is status


@pytest.mark.parametrize("status", ["Splendid", "succeeded", "", None, 1])
def test_a_status_that_is_not_known_is_no_success(site, analytics, status):
    analytics.api = {"schema/FLIGHTS/status": {"status": status}}
    with client(site) as opened, pytest.raises(ConfigurationError, match="unknown status"):
        opened.schema_status("FLIGHTS")


def test_answers_without_what_was_asked(site, analytics):
    analytics.api = {"schema/list": {}, "query": {"rows": "many"}}
    with client(site) as opened:
        with pytest.raises(TransientError, match="list of schemas: the answer holds none"):
            opened.schemas()
        with pytest.raises(TransientError, match="holds no row count"):
            opened.row_count("FLIGHTS", "flights")
