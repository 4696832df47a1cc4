"""Which pairs of storage the contract is run against."""

from __future__ import annotations

PURE = (("file", "file"), ("ssh", "ssh"), ("s3", "s3"))
"""Kind of source, kind of target: what ``make test`` tries."""

MIXED = (("ssh", "file"), ("file", "ssh"), ("file", "s3"), ("s3", "file"), ("sftp", "file"))
"""What ``make test-contract`` tries besides."""
