"""Which pairs of storage the contract is run against."""

from __future__ import annotations

PURE = (("file", "file"), ("ssh", "ssh"), ("s3", "s3"))
"""Kind of source, kind of target: what ``make test`` tries."""

MIXED = (
    ("ssh", "file"),
    ("file", "ssh"),
    ("file", "s3"),
    ("s3", "file"),
    ("sftp", "file"),
    ("ssh", "s3"),
    ("s3", "ssh"),
    ("sftp", "ssh"),
    ("sftp", "s3"),
)
"""What ``make test-contract`` tries besides."""

SAMPLE = {("test_new_changed_and_removed", pair) for pair in MIXED[-4:]}
"""What ``make test`` tries of them all the same: ways that no other of its tests takes."""
