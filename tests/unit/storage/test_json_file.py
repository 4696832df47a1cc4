from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import BaseModel

from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.records.json_file import collect_drafts, read_json, read_model, write_json

WRITER = """
import sys
from pathlib import Path
from incorta_provider.storage.records.json_file import write_json
number = 0
while True:
    number += 1
    write_json(Path(sys.argv[1]), {"number": number, "filling": "x" * 20000})
"""


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write_json(path, {"name": "Zoë", "list": [1, None]})
    assert read_json(path) == {"name": "Zoë", "list": [1, None]}
    assert [file.name for file in path.parent.iterdir()] == ["facts.json"]


def test_no_folder_is_made_on_the_way(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_json(tmp_path / "unmounted" / "facts.json", {})
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_absent_reads_as_none(tmp_path: Path) -> None:
    assert read_json(tmp_path / "absent.json") is None


def test_a_file_that_holds_no_json_is_an_integrity_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "torn.json"
    path.write_text('{"half":')
    with pytest.raises(IntegrityError, match=r"torn\.json"):
        read_json(path)


class Fact(BaseModel):
    """A record."""

    name: str
    size: int


def test_a_record_is_read_back_and_an_absent_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "fact.json"
    assert read_model(path, Fact) is None
    write_json(path, {"name": "Zoë", "size": 1})
    assert read_model(path, Fact) == Fact(name="Zoë", size=1)


@pytest.mark.parametrize(
    ("document", "places"), [({"name": 1, "size": "x"}, "name, size"), ({"name": "a"}, "size"), ([], "the whole")]
)
def test_a_file_that_holds_another_record_says_what_is_wrong(tmp_path: Path, document: object, places: str) -> None:
    path = tmp_path / "fact.json"
    write_json(path, document)
    with pytest.raises(IntegrityError, match=f"is not a valid Fact: wrong in {places} ") as caught:
        read_model(path, Fact)
    assert caught.value.where == str(path)


def test_a_writer_that_is_killed_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    for pause in (0.01, 0.05, 0.11):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        while not path.exists():
            time.sleep(0.005)
        time.sleep(pause)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        facts = read_json(path)
        assert len(facts["filling"]) == 20000
        assert facts["number"] >= 1


def test_drafts_of_writers_that_were_killed_are_collected_when_they_are_old(tmp_path: Path) -> None:
    old, new = tmp_path / ".facts.json.17.tmp", tmp_path / ".facts.json.18.tmp"
    for path in (old, new, tmp_path / "facts.json"):
        path.write_text("{}")
    os.utime(old, (0, 0))
    collect_drafts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [new.name, "facts.json"]
    collect_drafts(tmp_path, age_seconds=0)
    assert [path.name for path in tmp_path.iterdir()] == ["facts.json"]
