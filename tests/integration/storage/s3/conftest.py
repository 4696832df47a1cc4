"""What tests of buckets share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.servers.ceph import CephS3
from tests.builders.s3_relay import Relay, relayed


@pytest.fixture
def relay(s3_server: CephS3) -> Iterator[Relay]:
    """Run a relay before the server."""
    with relayed(s3_server.endpoint) as relay:
        yield relay
