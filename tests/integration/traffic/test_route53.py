"""A record in Route 53, against a server that speaks its API."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from incorta_provider.dr.traffic import Route53Record
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.traffic.doer import switch
from incorta_provider.traffic.route53 import Route53
from tests.integration.traffic.conftest import Zone

VALUES = {"berlin": ["10.0.0.2", "10.0.0.1"], "newyork": ["10.1.0.1"]}


def record(to: Zone, **changes: Any) -> Route53Record:
    fields = {"kind": "route53", "name": "dns", "conn_id": "aws_dns", "zone": to.id, "record": "incorta.acme.example"}
    return Route53Record(**{**fields, "type": "A", "ttl": 60, "values": VALUES, "seconds": 5, **changes})


def test_a_record_is_switched_and_set_back_to_what_it_was(zone: Zone) -> None:
    zone.put(Name="incorta.acme.example.", Type="A", TTL=300, ResourceRecords=[{"Value": "10.9.9.9"}])
    config = record(zone)
    doer = Route53(config, zone.info)
    before = doer.read()
    assert before == {"ttl": 300, "values": ["10.9.9.9"]}
    assert switch(doer, config.state_for("newyork")) is True
    assert zone.records("A") == {"incorta.acme.example.": (60, ["10.1.0.1"])}
    assert switch(doer, config.state_for("newyork")) is False
    switch(doer, before)
    assert zone.records("A") == {"incorta.acme.example.": (300, ["10.9.9.9"])}


def test_a_record_that_was_not_there_is_made_and_taken_away_again(zone: Zone) -> None:
    zone.put(Name="other.acme.example.", Type="A", TTL=1, ResourceRecords=[{"Value": "10.7.7.7"}])
    zone.put(Name="incorta.acme.example.", Type="TXT", TTL=1, ResourceRecords=[{"Value": '"a note"'}])
    config = record(zone)
    doer = Route53(config, zone.info)
    assert doer.read() is None
    switch(doer, config.state_for("berlin"))
    assert sorted(zone.records("A")["incorta.acme.example."][1]) == ["10.0.0.1", "10.0.0.2"]
    switch(doer, None)
    assert switch(doer, None) is False
    assert list(zone.records("A")) == ["other.acme.example."]
    assert list(zone.records("TXT")) == ["incorta.acme.example."]


def test_a_name_with_a_star_is_found_again(zone: Zone) -> None:
    config = record(zone, record="*.Incorta.acme.example", type="CNAME", values={"berlin": ["b."], "newyork": ["n."]})
    doer = Route53(config, zone.info)
    switch(doer, config.state_for("newyork"))
    assert doer.read() == {"ttl": 60, "values": ["n."]}


def test_a_record_with_a_routing_policy_is_none_of_ours(zone: Zone) -> None:
    zone.put(
        Name="incorta.acme.example.",
        Type="A",
        TTL=60,
        SetIdentifier="blue",
        Weight=10,
        ResourceRecords=[{"Value": "10.0.0.1"}],
    )
    with pytest.raises(ConfigurationError, match="is an alias or has a routing policy"):
        Route53(record(zone), zone.info).read()


def test_a_zone_that_is_not_there_is_named(zone: Zone) -> None:
    with pytest.raises(ConfigurationError, match="NoSuchHostedZone") as refused:
        Route53(record(zone, zone="Z0NONE"), zone.info).read()
    assert "hosted zone Z0NONE, by connection aws_dns" in str(refused.value)


def test_a_server_that_does_not_answer_may_do_so_later(zone: Zone, free_port: int) -> None:
    kwargs = {"connect_timeout": 1, "retries": {"total_max_attempts": 1}}
    extra = {**zone.info.extra, "endpoint_url": f"http://127.0.0.1:{free_port}", "config_kwargs": kwargs}
    gone = dataclasses.replace(zone.info, extra=extra)
    with pytest.raises(TransientError, match="Route 53 does not answer") as failed:
        Route53(record(zone), gone).read()
    assert "secret" not in str(failed.value)
