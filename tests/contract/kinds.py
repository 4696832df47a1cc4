"""Which pairs of storage the contract is run against."""

from __future__ import annotations

PAIRS = (
    ("file", "file"),
    ("ssh", "file"),
    ("file", "ssh"),
    ("ssh", "ssh"),
    ("s3", "s3"),
    ("file", "s3"),
    ("s3", "file"),
    ("sftp", "file"),
)
"""Kind of source, kind of target."""
