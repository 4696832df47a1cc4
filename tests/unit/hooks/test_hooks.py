from __future__ import annotations

import pytest

from incorta_provider.hooks.analytics import AnalyticsHook
from incorta_provider.hooks.cmc import CmcHook
from incorta_provider.hooks.incorta_node import IncortaNodeHook
from incorta_provider.hooks.metadata import MetadataHook
from incorta_provider.hooks.zookeeper import ZooKeeperHook
from incorta_provider.services.analytics import AnalyticsClient
from incorta_provider.services.cmc import CmcClient
from incorta_provider.services.node import IncortaNode
from tests.builders.ports import closed_port

HOOKS = [AnalyticsHook, CmcHook, IncortaNodeHook, MetadataHook, ZooKeeperHook]


@pytest.fixture
def free_port():
    with closed_port() as port:
        yield port


@pytest.mark.parametrize("hook", HOOKS)
def test_airflow_finds_the_connection_by_the_hooks_own_argument(hook):
    assert hook(**{hook.conn_name_attr: "other"}).conn_id == "other"
    assert hook().conn_id == hook.default_conn_name
    assert hook.hook_name


@pytest.mark.parametrize("hook", HOOKS)
def test_a_connection_test_never_raises(hook):
    works, message = hook("nowhere").test_connection()
    assert works is False
    assert message.startswith("there is no connection 'nowhere' [Airflow].")


@pytest.mark.parametrize(
    ("hook", "extra", "reason"),
    [
        (AnalyticsHook, {"scheme": "http"}, "Connection refused"),
        (CmcHook, {"scheme": "http"}, "Connection refused"),
        (IncortaNodeHook, {"home": "/incorta"}, "no host key is pinned"),
        (MetadataHook, {}, "127.0.0.1"),
    ],
)
def test_a_connection_test_says_what_is_wrong(connection, free_port, hook, extra, reason):
    fields = {"host": "127.0.0.1", "port": free_port, "login": "a", "password": "b", "schema": "acme", "extra": extra}
    works, message = hook(connection("site", conn_type=hook.conn_type, **fields)).test_connection()
    assert works is False
    assert reason in message


def test_an_ensemble_without_a_quorum_fails_the_connection_test(connection, free_port):
    hook = ZooKeeperHook(connection("zk", conn_type="incorta_zookeeper", host=f"127.0.0.1:{free_port}"))
    assert [member.reason for member in hook.state()] == ["Connection refused"]
    works, message = hook.test_connection()
    assert works is False
    assert message.startswith("no quorum: 0 of 1 members serve, no leader")


def test_what_the_hooks_give(connection):
    fields = {"host": "incorta-1", "login": "a", "password": "b", "schema": "acme", "extra": {"home": "/incorta"}}
    connection("site", conn_type="any", **fields)
    assert isinstance(IncortaNodeHook("site").get_conn(), IncortaNode)
    with CmcHook("site").get_conn() as cmc:
        assert isinstance(cmc, CmcClient)
    with AnalyticsHook("site", tenant="other").get_conn() as analytics:
        assert isinstance(analytics, AnalyticsClient)
    assert MetadataHook("site", schema="other").endpoint().schema == "other"
    assert MetadataHook("site").endpoint().schema == "acme"
