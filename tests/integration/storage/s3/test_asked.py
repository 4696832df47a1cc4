"""One key is asked about by one request, however many a bucket has."""

from __future__ import annotations

import pytest

from incorta_provider.storage.s3.bucket import Answer, Bucket, Request
from incorta_provider.storage.tree import AskedTree
from lab.servers.ceph import CephS3
from tests.builders.s3 import make_bucket

pytestmark = pytest.mark.lab


def test_a_marker_is_looked_for_without_a_listing(s3_server: CephS3, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_bucket(s3_server, versioned=False)
    made.put({"keep/.incorta-dr": b"", "keep/other": b"1", "z": b"2"})
    asked = list[str]()
    send = Bucket.send

    def noted(bucket: Bucket, request: Request) -> Answer:
        asked.append(request.method)
        return send(bucket, request)

    monkeypatch.setattr(Bucket, "send", noted)
    tree = made.tree()
    assert isinstance(tree, AskedTree)
    assert [tree.holds(path) for path in (b"keep/.incorta-dr", b"keep", b"absent")] == [True, False, False]
    assert asked == ["HEAD"] * 3
