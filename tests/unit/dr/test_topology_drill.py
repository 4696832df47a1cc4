"""A place for drills that could touch the site, or would not be quiet, is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from incorta_provider.dr.topology import Topology
from tests.builders.drill import drill_document

ROOT = Path("/srv")
Spoil = Callable[[dict[str, Any], dict[str, Any]], object]


def test_the_place_is_a_site_of_its_own_with_the_catalog_and_the_server_of_the_real_one() -> None:
    site = Topology.model_validate(drill_document(ROOT)).groups["acme"].sites["newyork"]
    place = site.for_drill()
    assert place is not None
    assert (place.catalog, place.metadata.conn_id) == (site.catalog, site.metadata.conn_id)
    assert (place.storage, place.metadata.schema_name) == ("file:///srv/newyork/drill", "_dr_drill_incorta")
    assert [node.conn_id for node in place.nodes] == ["newyork_drill_node1"]
    assert place.drill is None
    assert Topology.model_validate(drill_document(ROOT)).groups["acme"].sites["berlin"].for_drill() is None


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda group, drill: drill.update(storage="file:///srv/newyork/storage/below"), "inside each other"),
        (lambda group, drill: drill.update(storage="file:///srv/newyork/catalog"), "inside each other"),
        (lambda group, drill: drill.update(storage="file:///srv/berlin/storage"), "inside each other"),
        (lambda group, drill: drill.update(storage="s3://bucket/drill"), "String should match pattern"),
        (lambda group, drill: drill.update(schema="incorta"), "String should match pattern"),
        (lambda group, drill: drill["cmc"].update(conn_id="newyork_cmc"), "same connection newyork_cmc"),
        (lambda group, drill: drill["cmc"].update(node="newyork_node1"), "is not one of the nodes"),
        (lambda group, drill: drill["values"].pop("tenants_path"), r"site\(s\) newyork \(drill\) do not define"),
        (
            lambda group, drill: drill["values"].update(tenants_path="/mnt/berlin/Tenants/"),
            r"newyork \(drill\) con",
        ),
        (lambda group, drill: group["metadata"].pop("drill"), "would run its scheduled jobs and send mail"),
        (lambda group, drill: group["sites"]["newyork"].update(storage="ssh://newyork_node1/mnt/x"), "mounted replica"),
    ],
)
def test_what_could_touch_the_site_or_make_a_noise_is_refused(spoil: Spoil, reason: str) -> None:
    document = drill_document(ROOT)
    group = document["groups"]["acme"]
    spoil(group, group["sites"]["newyork"]["drill"])
    with pytest.raises(ValidationError, match=reason):
        Topology.model_validate(document)
