from __future__ import annotations

from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError
from incorta_provider.steps.topology_file import MAX_BYTES, read_topology
from tests.builders.group import write_topology


def padded(path: Path, size: int, filler: str = "x") -> Path:
    """Fill a right topology up to a size in bytes, with a comment at its end."""
    missing = size - path.stat().st_size
    with path.open("ab") as file:
        file.write(b"#" + (filler * missing).encode()[: missing - 1])
    return path


def test_a_right_file_is_read(tmp_path: Path) -> None:
    topology = read_topology(write_topology(tmp_path))
    assert list(topology.groups["acme"].sites) == ["berlin", "newyork"]


def test_a_missing_file_is_named_with_the_setting_that_leads_to_it(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yaml"
    with pytest.raises(ConfigurationError) as caught:
        read_topology(path)
    assert str(caught.value) == (
        f"cannot read the topology: No such file or directory [{path}]. "
        "Next: Set [incorta_dr] topology to the path of incorta_dr.yaml."
    )


def test_a_folder_is_no_topology(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read the topology: Is a directory"):
        read_topology(tmp_path)


def test_a_file_that_is_not_utf_8_is_refused_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("groups: # Köln\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"the topology is not UTF-8: .* at byte 11"):
        read_topology(path)


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    path = padded(write_topology(tmp_path), MAX_BYTES)
    assert path.stat().st_size == MAX_BYTES
    assert list(read_topology(path).groups) == ["acme"]
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(ConfigurationError, match="larger than 1 MB"):
        read_topology(path)


@pytest.mark.parametrize("filler", ["ü", "表"])
def test_a_large_file_is_never_cut_in_silence_whatever_its_letters(tmp_path: Path, filler: str) -> None:
    """What is counted is bytes: a file that holds fewer letters than bytes must not pass as its own beginning."""
    path = padded(write_topology(tmp_path), MAX_BYTES + 10, filler)
    with pytest.raises(ConfigurationError, match="larger than 1 MB"):
        read_topology(path)


def test_a_file_without_an_end_ends_the_reading(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="larger than 1 MB"):
        read_topology(Path("/dev/zero"))


def test_a_wrong_topology_is_told_with_file_and_line(tmp_path: Path) -> None:
    path = write_topology(tmp_path)
    path.write_text(path.read_text().replace("primary: berlin", "primary: berlim"))
    with pytest.raises(ConfigurationError, match=rf"{path}:2: groups.acme: primary 'berlim' is not one of the sites"):
        read_topology(path)
