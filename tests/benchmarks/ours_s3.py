"""Our side of the contests with buckets: one recovery point in a versioned bucket, as :mod:`ours_storage` makes it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from airflow.providers.amazon.aws.hooks import base_aws

from incorta_provider.connection import ConnectionInfo
from incorta_provider.storage.apply.redo_journal import RedoJournal
from incorta_provider.storage.copying import checks as checks_module
from incorta_provider.storage.copying import outcome as outcome_module
from incorta_provider.storage.copying import transfer as transfer_module
from incorta_provider.storage.s3 import apply as apply_module
from incorta_provider.storage.target import Target
from incorta_provider.storage.tree import Tree
from incorta_provider.storage.url import open_target, open_tree
from tests.benchmarks.ours_storage import ONE_PASS, replicate_pair
from tests.benchmarks.phases import Split
from tests.builders.storage import Pair

SPLITS: tuple[Split, ...] = (
    (transfer_module, "survey", "copy: list and decide"),
    (outcome_module, "edit", "copy: write the manifest of a later point"),
    (checks_module, "edit", "check: write the manifest again"),
    (RedoJournal, "write", "apply: look at what moved, journal"),
    (apply_module, "delete", "apply: delete"),
)

IMPORTED_BEFORE = base_aws
"""A task of Airflow has the amazon provider in memory, as it has Airflow."""


@dataclass(frozen=True)
class S3Pair(Pair):
    """A source and a bucket, by their URLs; one connection reaches both."""

    connection: ConnectionInfo
    source_url: str
    target_url: str

    @cached_property
    def tree(self) -> Tree:
        return open_tree(self.source_url, self._find)

    @cached_property
    def target(self) -> Target:
        return open_target(self.target_url, self.catalog, self._find)

    def _find(self, conn_id: str) -> ConnectionInfo:
        return self.connection


def replicate(
    root: Path, connection: ConnectionInfo, source_url: str, target_url: str, number: int
) -> Mapping[str, float]:
    """Make one point; return the seconds by phase."""
    root.mkdir(exist_ok=True)
    logging.disable(logging.INFO)  # which Airflow sends to standard output outside of a task; ours is for the result
    return replicate_pair(S3Pair(root, connection, source_url, target_url), number, ONE_PASS, SPLITS)
