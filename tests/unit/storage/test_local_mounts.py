"""Which mounts below a folder count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from incorta_provider.storage.local import mounts
from incorta_provider.storage.local.mounts import mounts_below
from tests.builders.storage import put


def test_a_mount_that_no_listing_shows_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filer's snapshots come into the table when somebody looks into one, and the folder's listing lacks them."""
    put(tmp_path, {"root/tenants/nested": None})
    root = tmp_path / "root"
    places = [root / "tenants", root / "tenants/nested", root / ".snapshot/hourly.0", root / "tenants/.snapshot/a"]
    table = tmp_path / "mountinfo"
    table.write_text("".join(f"36 35 98:0 / {place} rw - nfs filer:/vol rw\n" for place in places))
    monkeypatch.setattr(mounts, "_TABLE", table)
    assert mounts_below(os.fsencode(root)) == [b"tenants", b"tenants/nested"]
