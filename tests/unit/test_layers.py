"""The shape of the code: imports point downward, rules are pure, Airflow stays at the edge, files stay small.

Read from the syntax trees, so imports within functions and under ``TYPE_CHECKING`` count too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "incorta_provider"

LAYERS: tuple[tuple[frozenset[str], ...], ...] = tuple(
    tuple(frozenset(unit.split()) for unit in layer)
    for layer in (
        ("__init__",),
        ("exceptions", "late"),
        ("connection",),
        ("dr",),
        ("ssh",),
        ("storage", "metadata", "coordination", "services"),
        ("traffic",),
        ("steps",),
        ("hooks",),
        ("operators sensors triggers notifications",),
        (
            "plugin",
            "cli cli_bandwidth cli_cutover cli_divergence cli_drill cli_fence cli_maintenance cli_metadata "
            "cli_readiness cli_registry cli_replica cli_roles cli_site_commands cli_status",
            "provider_info",
        ),
    )
)
"""From the bottom to the top. A part imports from layers below its own and from its own unit: what stands in one string
is one unit, and the units of a layer do not know each other."""

MAY_IMPORT_AIRFLOW = {"hooks", "operators", "sensors", "triggers", "notifications", "plugin"}

READS_AWS_CONNECTIONS = "incorta_provider/storage/s3/session.py"
"""The one module below the hooks that imports Airflow, when it is called: what an AWS connection means (assumed roles,
profiles, federations) is known to the amazon provider alone, and the command line needs it on the worst day too."""

LATE = f"{PACKAGE}/late.py"
"""The one module that imports others by their names: those that are handed to it."""

IMPURE = {
    "asyncio",
    "fcntl",
    "getpass",
    "glob",
    "http",
    "importlib",
    "io",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
}
"""Modules of the standard library that read the world: files, clocks, chance, processes, networks."""

RULES_MAY_USE = {"pydantic", "yaml"}
"""All that the rules take from outside the standard library; YAML is only parsed, never read from a file."""

CALLS_THAT_READ_THE_WORLD = {"now", "today", "utcnow", "open", "input", "print", "read_text", "read_bytes"}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60


def files_of(*folders: str) -> list[str]:
    """Return the Python files below some folders of the checkout, relative to it."""
    return sorted(str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def tree_of(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), path)


def imports_of(path: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name of every import; of ``from a import b``, ``a.b`` when that is a module."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}" if is_module(f"{module}.{alias.name}") else module


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").exists()


def top_of(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def part_of(module: str) -> str:
    """Return the part of the package that a module belongs to: ``dr`` of ``incorta_provider.dr.epoch``."""
    return [*module.split("."), "__init__"][1]


def part_of_file(path: str) -> str:
    return part_of(path.removesuffix(".py").replace("/", "."))


def layer_of(part: str) -> int:
    for height, layer in enumerate(LAYERS):
        if any(part in unit for unit in layer):
            return height
    raise AssertionError(f"{part} is in no layer; give it its place in LAYERS")


def may_import(part: str, other: str) -> bool:
    same_unit = any(part in unit and other in unit for layer in LAYERS for unit in layer)
    return same_unit or layer_of(other) < layer_of(part)


def importers_of(packages: set[str], paths: list[str]) -> list[str]:
    """Return where files import one of these top-level packages."""
    return [f"{path}:{line}: {name}" for path in paths for line, name in imports_of(path) if top_of(name) in packages]


def calls_of(functions: set[str], paths: list[str]) -> list[str]:
    """Return where files call a function or method of one of these names."""
    return [
        f"{path}:{node.lineno}: {ast.unparse(node)}"
        for path in paths
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in functions
    ]


SOURCES = files_of(PACKAGE)
EVERYTHING = files_of(PACKAGE, "lab", "dags")


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 40
    assert {part_of_file(path) for path in SOURCES} >= {"dr", "storage", "steps", "operators", "cli", "exceptions"}


@pytest.mark.parametrize(
    ("part", "other", "allowed"),
    [
        ("storage", "dr", True),
        ("dr", "storage", False),
        ("storage", "metadata", False),
        ("dr", "dr", True),
        ("connection", "exceptions", True),
        ("exceptions", "connection", False),
        ("operators", "sensors", True),
        ("steps", "hooks", False),
        ("cli", "plugin", False),
        ("plugin", "__init__", True),
    ],
)
def test_the_check_itself_knows_up_from_down(part: str, other: str, allowed: bool) -> None:
    assert may_import(part, other) == allowed


def test_imports_point_downward() -> None:
    assert [
        f"{path}:{line}: {name}"
        for path in SOURCES
        for line, name in imports_of(path)
        if top_of(name) == PACKAGE and not may_import(part_of_file(path), part_of(name))
    ] == []


def test_airflow_is_imported_at_the_edge_only() -> None:
    below = [path for path in SOURCES if part_of_file(path) not in MAY_IMPORT_AIRFLOW]
    assert {found.split(":")[0] for found in importers_of({"airflow"}, below)} == {READS_AWS_CONNECTIONS}


def test_what_reads_aws_connections_imports_airflow_only_when_it_is_called() -> None:
    program = f"import sys, {READS_AWS_CONNECTIONS[:-3].replace('/', '.')}; sys.exit('airflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_the_lab_runs_airflow_as_a_program_and_imports_none_of_it() -> None:
    assert importers_of({"airflow"}, files_of("lab")) == []


def test_the_product_knows_nothing_of_the_lab_and_the_tests() -> None:
    assert importers_of({"lab", "tests", "dags"}, files_of(PACKAGE, "dags")) == []


def test_imports_are_absolute_and_written_out() -> None:
    """Also none by a name put together while running, which no reader and no test of layers sees."""
    relative = [f"{path}:{line}: {name}" for path in EVERYTHING for line, name in imports_of(path) if name[0] == "."]
    starred = [
        f"{path}:{node.lineno}: import *"
        for path in EVERYTHING
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
    ]
    others = [path for path in SOURCES if path != LATE]
    assert relative + starred + calls_of({"import_module", "__import__"}, others) == []


def test_what_is_imported_late_is_written_out_as_an_import_too() -> None:
    """Else neither these tests nor a reader would see it."""
    late = [
        (path, ast.literal_eval(node.args[0]))
        for path in EVERYTHING
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "late"
    ]
    assert len(late) > 10
    written = {path: {name for _, name in imports_of(path)} for path, _ in late}
    assert [f"{path}: {name}" for path, name in late if name not in written[path]] == []


def test_rules_are_pure() -> None:
    """No files, no clock and no chance of their own: what they need is handed in."""
    rules = files_of(f"{PACKAGE}/dr")
    known = (sys.stdlib_module_names - IMPURE) | RULES_MAY_USE | {PACKAGE}
    foreign = [
        f"{path}:{line}: {name}" for path in rules for line, name in imports_of(path) if top_of(name) not in known
    ]
    assert foreign + calls_of(CALLS_THAT_READ_THE_WORLD, rules) == []


def test_a_file_can_be_read_in_one_go() -> None:
    lines = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in EVERYTHING}
    assert {path: count for path, count in lines.items() if count > MAX_FILE_LINES} == {}


def test_a_function_fits_on_a_screen() -> None:
    lines = {
        f"{path}:{node.lineno}: {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in EVERYTHING
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: count for name, count in lines.items() if count > MAX_FUNCTION_LINES} == {}


def test_everything_below_the_edge_works_without_airflow() -> None:
    """The command line is for the day that Airflow is down, so it must not even need to be installed."""
    modules = [
        path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in SOURCES
        if part_of_file(path) not in MAY_IMPORT_AIRFLOW
    ]
    program = (
        "import sys, importlib; sys.modules['airflow'] = None\nfor name in sys.argv[1:]: importlib.import_module(name)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *modules], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
