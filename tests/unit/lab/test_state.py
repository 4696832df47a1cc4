"""A lab keeps its ports, and two commands never change it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from incorta_provider.exceptions import PreconditionError
from lab.__main__ import main
from lab.files import last_lines, write
from lab.layout import DEMO_BASE, Lab
from lab.state import exclusive, open_lab, record_base


def test_a_new_lab_gets_the_ports_asked_for_or_the_demos(tmp_path: Path) -> None:
    assert open_lab(tmp_path) == Lab(tmp_path.resolve(), DEMO_BASE)
    assert open_lab(tmp_path, 25000).base == 25000


def test_a_lab_keeps_the_ports_that_it_was_made_with(tmp_path: Path) -> None:
    record_base(Lab(tmp_path, 25000))
    assert open_lab(tmp_path).base == 25000
    with pytest.raises(PreconditionError, match="made with --base 25000, not 26000"):
        open_lab(tmp_path, 26000)


def test_the_root_is_the_same_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert open_lab(Path("link/lab")).root == open_lab(tmp_path / "lab").root


def test_the_second_of_two_commands_is_refused_and_may_come_after(tmp_path: Path) -> None:
    lab = Lab(tmp_path, 25000)
    with exclusive(lab), pytest.raises(PreconditionError, match="another command is changing this lab"), exclusive(lab):
        pass
    with exclusive(lab):
        pass


@pytest.mark.parametrize(("words", "code"), [(["down"], 0), (["status"], 1), (["kill-site", "berlin"], 1)])
def test_commands_on_a_lab_that_is_not_there_make_none(
    words: list[str], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "none"
    assert main([*words, "--root", str(root)]) == code
    assert capsys.readouterr().out == f"there is no lab in {root}\n"
    assert not root.exists()


def test_a_written_file_is_whole_and_has_its_mode_even_over_an_open_one(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write(path, "new", mode=0o600)
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_end_of_a_log_is_given_or_why_there_is_none(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_lines(log) == "(no log: No such file or directory)"
    log.write_bytes(b"")
    assert last_lines(log) == "(the log is empty)"
    log.write_bytes(b"one\ntwo\xff\nthree\n")
    assert last_lines(log, 2) == "two\ufffd\nthree"
