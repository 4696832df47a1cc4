"""The scripts of a node: all the documented ones, valid shell, safe with any path."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.incorta.home import Home
from lab.incorta.scripts import SERVICES, ScriptFacts, guid, render

ODD = 'it\'s a "home" & $HOME `id`'
"""A folder name that shows whether paths are quoted."""


def facts(folder: Path, *, has_cmc: bool = True) -> ScriptFacts:
    home = folder / ODD / "incorta"
    return ScriptFacts(
        folder / ODD / "python", folder / "checkout", home, has_cmc, {"TZ": "Europe/Berlin", "MARK": ODD}
    )


def write_home(made: ScriptFacts) -> None:
    for name, text in render(made).items():
        path = made.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    for folder in ("IncortaNode/logs", "cmc/logs"):
        (made.home / folder).mkdir(parents=True, exist_ok=True)
    made.python.write_text('#!/bin/sh\necho "$TZ|$MARK|$PYTHONPATH"\nfor word; do echo "$word"; done\n')
    made.python.chmod(0o755)


def test_a_node_has_the_documented_scripts_and_only_one_has_the_cmc(tmp_path: Path) -> None:
    node = {
        "IncortaNode/startNode.sh",
        "IncortaNode/stopNode.sh",
        "IncortaNode/startSpark.sh",
        "IncortaNode/stopSpark.sh",
        "IncortaNode/startService.sh",
        "IncortaNode/stopService.sh",
        "IncortaNode/services/services.index",
    }
    assert set(render(facts(tmp_path, has_cmc=False))) == node
    assert set(render(facts(tmp_path))) == node | {"cmc/start-cmc.sh", "cmc/stop-cmc.sh"}


def test_the_index_gives_each_service_a_folder_that_stays_and_is_its_own(tmp_path: Path) -> None:
    made = facts(tmp_path)
    write_home(made)
    lines = (made.home / "IncortaNode/services/services.index").read_text().splitlines()
    assert lines == [f"{name}={guid(made.home, name)}" for name in SERVICES]
    assert Home(made.home).service_folder("loaderService").name == guid(made.home, "loaderService")
    assert len({guid(home, name) for home in (made.home, tmp_path) for name in SERVICES}) == 4


@pytest.mark.parametrize(
    ("script", "arguments", "words"),
    [
        ("IncortaNode/stopNode.sh", [], ["stop", "agent"]),
        ("IncortaNode/stopSpark.sh", [], ["stop", "spark"]),
        ("cmc/stop-cmc.sh", [], ["stop", "cmc"]),
        ("IncortaNode/startService.sh", ["loaderService"], ["start-service", "loaderService"]),
        ("IncortaNode/stopService.sh", ["loaderService", "-force"], ["stop-service", "loaderService", "-force"]),
        ("IncortaNode/stopService.sh", ["two words; id"], ["stop-service", "two words; id"]),
    ],
)
def test_a_script_hands_its_words_on_with_the_markers_of_the_lab(
    tmp_path: Path, script: str, arguments: list[str], words: list[str]
) -> None:
    made = facts(tmp_path)
    write_home(made)
    done = subprocess.run([made.home / script, *arguments], capture_output=True, text=True, check=True, env={})
    assert done.stdout.splitlines() == [
        f"Europe/Berlin|{ODD}|{made.checkout}",
        "-P",
        "-m",
        "lab.incorta",
        *words,
        "--home",
        str(made.home),
    ]


@pytest.mark.parametrize(
    ("script", "role", "log"),
    [
        ("IncortaNode/startNode.sh", "agent", "IncortaNode/logs/agent.log"),
        ("cmc/start-cmc.sh", "cmc", "cmc/logs/cmc.log"),
    ],
)
def test_a_start_script_returns_at_once_with_status_0_and_logs(
    tmp_path: Path, script: str, role: str, log: str
) -> None:
    made = facts(tmp_path)
    write_home(made)
    go = tmp_path / "go"
    until_told = f'until [ -e "{go}" ]; do sleep 0.05; done'
    made.python.write_text(f'{made.python.read_text()}{until_told}\necho "the end"\nexit 3\n')
    done = subprocess.run([made.home / script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    go.touch()
    for _ in range(2000):
        lines = (made.home / log).read_text().splitlines()
        if "the end" in lines:
            break
        subprocess.run(["sleep", "0.02"], check=True)
    assert lines[4:] == [role, "--home", str(made.home), "the end"]


@pytest.mark.parametrize("script", ["IncortaNode/startService.sh", "IncortaNode/stopService.sh"])
def test_a_service_script_without_a_service_says_how_it_is_used(tmp_path: Path, script: str) -> None:
    made = facts(tmp_path)
    write_home(made)
    done = subprocess.run([made.home / script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")
