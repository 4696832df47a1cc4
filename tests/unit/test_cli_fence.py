from __future__ import annotations

from pathlib import Path

import pytest

from incorta_provider.cli import main
from incorta_provider.dr.fence_mark import FenceMark
from tests.builders.fences import Databases, lend_databases
from tests.builders.group import NOON, Bench, make_bench, promoting, topology_document, use_at_command_line

COMMAND = ["unfence", "--group", "acme", "--site", "berlin"]
WORDS = ["--reason", "New York burnt down", "--confirm", "UNFENCE berlin"]


@pytest.fixture
def databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Databases:
    bench: Bench = make_bench(tmp_path, monkeypatch)
    made = lend_databases(bench, monkeypatch)[1]
    document = topology_document(tmp_path)
    for name, site in document["groups"]["acme"]["sites"].items():
        site["metadata"]["fence_conn_id"] = f"{name}_metadata_fence"
    use_at_command_line(bench, document, monkeypatch)
    promoting(bench)
    return made


def test_it_says_what_was_opened_and_what_that_means(databases: Databases, capsys: pytest.CaptureFixture[str]) -> None:
    databases.marks["berlin"] = FenceMark(
        group="acme", run_id="manual__1", by="hana", at=NOON, accounts=(("incorta", "%"),)
    )
    assert main([*COMMAND, *WORDS]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "berlin: its database is open again; cutover manual__1 had fenced it",
        "  unlocked: incorta@%",
        "newyork is still the active site (epoch 2): both can be written to now",
    ]
    assert main([*COMMAND, *WORDS]) == 0
    assert capsys.readouterr().out.startswith("berlin: its database is not fenced by anything")


def test_without_the_words_it_says_which(databases: Databases, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(COMMAND) == 1
    assert "--reason TEXT --confirm 'UNFENCE berlin'" in capsys.readouterr().err
