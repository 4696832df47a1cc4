from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from incorta_provider.dr.topology import Topology
from incorta_provider.dr.traffic import HttpCall, Route53Record, SshCommand, TrafficDoer, doer_faults, filled

Document = dict[str, Any]

DNS: Document = {
    "kind": "route53",
    "name": "dns",
    "conn_id": "aws_dns",
    "zone": "Z1",
    "record": "Incorta.Acme.example",
    "type": "CNAME",
    "values": {"berlin": ["lb.berlin.example"], "newyork": ["lb.newyork.example"]},
}
SSH: Document = {
    "kind": "ssh",
    "name": "proxy",
    "conn_id": "proxy",
    "set": ["switch", "--to={value}", "{site}"],
    "get": ["where"],
    "values": {"berlin": "b1", "newyork": "n1"},
}
HTTP: Document = {
    "kind": "http",
    "name": "balancer",
    "conn_id": "balancer",
    "set": {
        "method": "PUT",
        "path": "/pools/acme",
        "body": {"members": ["{value}"], "note": "for {site}", "weight": 1},
    },
    "get": {"path": "/pools/acme", "key": ["pool", "active"]},
    "values": {"berlin": "b1", "newyork": "n1"},
}
EACH = pytest.mark.parametrize("document", [DNS, SSH, HTTP], ids=lambda document: document["kind"])


def doer(document: Document, **changes: Any) -> Any:
    adapter: TypeAdapter[Any] = TypeAdapter(TrafficDoer)
    return adapter.validate_python({**document, **changes})


def faults_of(document: Document, **changes: Any) -> list[str]:
    return doer_faults((doer(document, **changes),), ["berlin", "newyork"])


class TestWhatIsSet:
    def test_a_record_says_the_same_in_any_order_and_case(self) -> None:
        record = doer(DNS, type="A", values={"berlin": ["10.0.0.2", "10.0.0.1"], "newyork": ["10.1.0.1"]})
        assert isinstance(record, Route53Record)
        assert record.full_name == "incorta.acme.example."
        assert record.state_for("berlin") == {"ttl": 60, "values": ["10.0.0.1", "10.0.0.2"]}
        assert record.in_words("newyork") == "Route 53 record incorta.acme.example. A = 10.1.0.1"

    def test_a_command_gets_the_value_as_words(self) -> None:
        command = doer(SSH)
        assert isinstance(command, SshCommand)
        assert command.words("n1") == ["switch", "--to=n1", "newyork"]
        assert command.words("found before; rm -rf /") == ["switch", "--to=found before; rm -rf /", ""]
        assert command.in_words("berlin") == "at proxy: switch --to=b1 berlin"

    def test_a_body_is_filled_wherever_it_holds_text(self) -> None:
        call = doer(HTTP)
        assert isinstance(call, HttpCall)
        assert call.body("n1") == {"members": ["n1"], "note": "for newyork", "weight": 1}
        assert call.in_words("newyork") == "PUT /pools/acme at balancer with n1"

    @given(st.text(), st.text())
    def test_what_is_filled_in_is_never_filled_again(self, value: str, site: str) -> None:
        assert filled(["{value}", "{site}"], {"value": value, "site": site}) == [value, site]

    @given(st.text(st.characters(exclude_characters="{}")))
    def test_other_text_stays_as_it_is(self, text: str) -> None:
        assert filled({"a": text, "b": "{other}"}, {"value": "x", "site": "y"}) == {"a": text, "b": "{other}"}


class TestWhatIsRefused:
    @EACH
    def test_a_site_without_a_value(self, document: Document) -> None:
        (fault,) = faults_of(document, values={"berlin": document["values"]["berlin"]})
        assert fault == f"traffic doer {document['name']} has no value for newyork"

    @EACH
    def test_a_value_for_what_is_no_site(self, document: Document) -> None:
        values = {**document["values"], "tokyo": document["values"]["berlin"]}
        assert faults_of(document, values=values) == [
            f"traffic doer {document['name']} has a value for tokyo, which is not a site"
        ]

    @EACH
    def test_the_same_value_for_both_sites(self, document: Document) -> None:
        values = dict.fromkeys(("berlin", "newyork"), document["values"]["berlin"])
        (fault,) = faults_of(document, values=values)
        assert fault.endswith("has the same value for two sites, so nothing would be switched")

    def test_two_of_one_name(self) -> None:
        pair = (doer(SSH, name="dns"), doer(DNS))
        assert doer_faults(pair, ["berlin", "newyork"]) == ["two traffic doers are called 'dns'"]

    @pytest.mark.parametrize(
        ("document", "changes"),
        [
            (DNS, {"zone": "Z1/../x"}),
            (DNS, {"type": "MX"}),
            (DNS, {"ttl": -1}),
            (DNS, {"values": {"berlin": [], "newyork": ["x"]}}),
            (DNS, {"values": {"berlin": ["a", "b"], "newyork": ["x"]}}),
            (SSH, {"set": []}),
            (SSH, {"get": []}),
            (SSH, {"name": "../x"}),
            (SSH, {"seconds": 0}),
            (HTTP, {"set": {"method": "GET", "path": "/x"}}),
            (HTTP, {"set": {"path": "http://elsewhere/x"}}),
            (HTTP, {"get": {"path": "/x", "key": []}}),
            (HTTP, {"password": "x"}),
            (HTTP, {"kind": "smoke signal"}),
        ],
    )
    def test_what_could_not_be_carried_out(self, document: Document, changes: Document) -> None:
        with pytest.raises(ValidationError):
            doer(document, **changes)


def test_a_topology_has_its_doers_and_its_window(document: Callable[[], Document]) -> None:
    whole = document()
    whole["groups"]["acme"] |= {
        "traffic": [DNS, SSH, HTTP],
        "commit_window": {"seconds": 600, "on_timeout": "roll_back"},
    }
    group = Topology.model_validate(whole).groups["acme"]
    assert [each.name for each in group.traffic] == ["dns", "proxy", "balancer"]
    assert (group.commit_window.seconds, group.commit_window.on_timeout) == (600, "roll_back")
    whole["groups"]["acme"]["traffic"][0] = {**DNS, "values": {"berlin": ["x"]}}
    with pytest.raises(ValidationError, match="traffic doer dns has no value for newyork"):
        Topology.model_validate(whole)
