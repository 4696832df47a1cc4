"""From what the topology says to the adapter that does it."""

from __future__ import annotations

from incorta_provider.connection import Connections
from incorta_provider.dr.traffic import HttpCall, Route53Record, TrafficDoer
from incorta_provider.traffic.doer import Doer
from incorta_provider.traffic.http_call import RequestToService
from incorta_provider.traffic.route53 import Route53
from incorta_provider.traffic.ssh_command import CommandAtHost


def open_doer(doer: TrafficDoer, connections: Connections, run_id: str) -> Doer:
    """Return the adapter of a doer; it talks to nobody before it is asked to read or to write.

    :param run_id: the run on whose behalf it works.
    :raises ConfigurationError: there is no such connection.
    """
    info = connections(doer.conn_id)
    if isinstance(doer, Route53Record):
        return Route53(doer, info)
    if isinstance(doer, HttpCall):
        return RequestToService(doer, info)
    return CommandAtHost(doer, info, run_id)
