"""How much is worked on: small for a quick look, full for the numbers that the project is held to."""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.trees import Changes


@dataclass(frozen=True, slots=True)
class Size:
    """One set of sizes.

    :param many_files: S1, of about 8 KB.
    :param big_files: S2, each of ``big_mib``.
    :param tree_files: S3 to S5: a tree where little changes; ``small_tree_files``: S5's other one.
    :param load_job: S3's changes.
    :param publish: S5's changes.
    :param ssh_files: S6, of 8 KB, and 4 of ``ssh_big_mib``.
    :param s3_objects: S7, of 16 KB; ``s3_tree_objects``: S8, of which ``s3_changed`` change; ``s3_files``: S9, of 1 MB.
    :param database_mib: M1, M2 and M3, as SQL text; ``typical_mib``: M4.
    :param switch_tables: M3: so many tables share its size.
    """

    name: str
    many_files: int
    big_files: int
    big_mib: int
    tree_files: int
    small_tree_files: int
    load_job: Changes
    publish: Changes
    ssh_files: int
    ssh_big_mib: int
    s3_objects: int
    s3_tree_objects: int
    s3_changed: int
    s3_files: int
    database_mib: int
    typical_mib: int
    switch_tables: int


SMALL = Size(
    name="small",
    many_files=5_000,
    big_files=4,
    big_mib=64,
    tree_files=30_000,
    small_tree_files=1_000,
    load_job=Changes(added=100, changed=50, removed=20),
    publish=Changes(added=120, changed=60, removed=20),
    ssh_files=500,
    ssh_big_mib=4,
    s3_objects=500,
    s3_tree_objects=1_000,
    s3_changed=20,
    s3_files=100,
    database_mib=32,
    typical_mib=10,
    switch_tables=50,
)
FULL = Size(
    name="full",
    many_files=100_000,
    big_files=20,
    big_mib=256,
    tree_files=1_000_000,
    small_tree_files=10_000,
    load_job=Changes(added=1_000, changed=500, removed=200),
    publish=Changes(added=600, changed=300, removed=100),
    ssh_files=20_000,
    ssh_big_mib=64,
    s3_objects=10_000,
    s3_tree_objects=100_000,
    s3_changed=100,
    s3_files=2_000,
    database_mib=1_000,
    typical_mib=50,
    switch_tables=200,
)
SIZES = {size.name: size for size in (SMALL, FULL)}
