from __future__ import annotations

import pytest

from incorta_provider.exceptions import TransientError
from incorta_provider.steps.incorta_release import incorta_release
from tests.builders.group import Bench


def test_the_first_node_is_asked(bench: Bench) -> None:
    bench.nodes.releases = {"newyork_node1": "2024.7.1", "newyork_node2": "2024.7.2"}
    assert incorta_release(bench.access.site("newyork")) == "2024.7.1"


def test_a_node_that_is_down_is_passed_over(bench: Bench) -> None:
    bench.nodes.down.add("newyork_node1")
    bench.nodes.releases = {"newyork_node2": "2024.7.2"}
    assert incorta_release(bench.access.site("newyork")) == "2024.7.2"


def test_when_no_node_answers_each_is_named_with_its_reason(bench: Bench) -> None:
    bench.nodes.down.update({"newyork_node1", "newyork_node2"})
    with pytest.raises(TransientError) as caught:
        incorta_release(bench.access.site("newyork"))
    assert caught.value.what == (
        "no node answers: newyork_node1: the node cannot be reached; newyork_node2: the node cannot be reached"
    )
