from __future__ import annotations

import json

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.hooks.connections import airflow_connections, connection_info


def test_all_facts_of_a_connection(connection):
    connection(
        "node1",
        conn_type="incorta_node",
        host="incorta-1",
        port=2222,
        login="incorta",
        password="Tr0ub4dor&3",
        schema="acme",
        extra={"home": "/incorta", "agent_port": 14500},
    )
    info = connection_info("node1")
    assert info == ConnectionInfo(
        conn_id="node1",
        conn_type="incorta_node",
        host="incorta-1",
        port=2222,
        login="incorta",
        password="Tr0ub4dor&3",
        schema="acme",
        extra={"home": "/incorta", "agent_port": 14500},
    )
    assert "Tr0ub4dor&3" not in repr(info)


def test_a_connection_with_nothing_in_it(connection):
    assert airflow_connections()(connection("empty", conn_type="incorta_cmc")) == ConnectionInfo(
        "empty", conn_type="incorta_cmc"
    )


def test_an_extra_field_that_is_text(connection):
    connection("node1", conn_type="incorta_node", extra=json.dumps({"home": "/incorta"}))
    assert connection_info("node1").extra == {"home": "/incorta"}


@pytest.mark.parametrize("extra", ["no json", "[1]", '"text"'])
def test_an_extra_field_that_is_no_json_object(connection, extra):
    connection("node1", conn_type="incorta_node", extra=extra)
    with pytest.raises(ConfigurationError, match="not a JSON object"):
        connection_info("node1")


def test_no_such_connection():
    with pytest.raises(ConfigurationError, match="there is no connection 'nowhere'") as caught:
        connection_info("nowhere")
    assert "Admin > Connections" in caught.value.fix
