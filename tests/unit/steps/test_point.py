from __future__ import annotations

from pathlib import Path

import pytest

from incorta_provider.exceptions import IntegrityError
from incorta_provider.steps.point import ensure_digest, ensure_point_whole, file_sha256, point_inventory
from tests.builders.group import Bench, sealed_point

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""SHA-256 of ``abc`` (FIPS 180-2, appendix B.1)."""


def test_the_digest_is_sha_256_in_hex(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert file_sha256(path) == ABC
    ensure_digest(path, ABC)


def test_a_changed_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abd")
    with pytest.raises(IntegrityError) as caught:
        ensure_digest(path, ABC)
    assert (caught.value.what, caught.value.where) == (
        "a file of the recovery point is not the file that was sealed",
        str(path),
    )


@pytest.mark.parametrize(("make_folder", "reason"), [(False, "No such file or directory"), (True, "Is a directory")])
def test_a_file_that_cannot_be_read_is_damage_not_a_crash(tmp_path: Path, make_folder: bool, reason: str) -> None:
    path = tmp_path / "abc"
    if make_folder:
        path.mkdir()
    with pytest.raises(IntegrityError, match=f"cannot be read: {reason}"):
        ensure_digest(path, ABC)


def test_a_whole_point_passes_and_its_inventory_is_given(bench: Bench) -> None:
    point = sealed_point(bench.catalog)
    ensure_point_whole(bench.catalog, point)
    assert point_inventory(bench.catalog, point).rows == 3


@pytest.mark.parametrize("part", ["manifest_path", "dump_path", "inventory_path"])
@pytest.mark.parametrize("damage", ["longer", "cut", "absent"])
def test_each_part_is_looked_at(bench: Bench, part: str, damage: str) -> None:
    point = sealed_point(bench.catalog)
    path: Path = getattr(bench.catalog, part)(point.id)
    content = path.read_bytes()
    path.unlink()
    if damage != "absent":
        path.write_bytes(content + b" " if damage == "longer" else content[:-1])
    with pytest.raises(IntegrityError, match="a file of the recovery point") as caught:
        ensure_point_whole(bench.catalog, point)
    assert caught.value.where == str(path)


def test_a_changed_inventory_is_never_read(bench: Bench) -> None:
    point = sealed_point(bench.catalog)
    path = bench.catalog.inventory_path(point.id)
    path.write_text(path.read_text().replace('"rows":2', '"rows":3'))
    with pytest.raises(IntegrityError, match="is not the file that was sealed"):
        point_inventory(bench.catalog, point)
