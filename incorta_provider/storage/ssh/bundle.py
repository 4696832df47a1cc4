"""Our own modules that the agent needs, as one file that Python can run.

What belongs in it is found by following the imports, so that it cannot be forgotten. Each needs nothing but the
standard library; a third-party module that is imported within a function is not there at a node.
"""

from __future__ import annotations

import ast
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PACKAGE = "incorta_provider"
_HOME = Path(__file__).parents[2]
_START = f"{_PACKAGE}.storage.ssh.agent"
_MAIN = f"""\
import sys
if sys.argv[1:2] == ["fenced"]:
    from {_PACKAGE}.storage.ssh.fence import run_fenced
    run_fenced(sys.argv[2:])
from {_START} import main
main()
"""
_DATE = (2020, 1, 1, 0, 0, 0)
"""Of every file in it: the same modules make the same bytes."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The file, and the digest that names it at a node."""

    data: bytes
    sha256: str


@cache
def bundle() -> Bundle:
    """Return the bundle of the modules as they are installed here."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", _DATE), _MAIN)
        for path in sorted(_files()):
            info = zipfile.ZipInfo(str(path.relative_to(_HOME.parent)), _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, path.read_bytes())
    data = buffer.getvalue()
    return Bundle(data, hashlib.sha256(data).hexdigest())


def _files() -> set[Path]:
    """Return the source files of the agent and of all that it imports, with the packages that they lie in."""
    found: set[Path] = set()
    waiting = [_START]
    while waiting:
        module = waiting.pop()
        path = _path(module)
        if path is None or path in found:
            continue
        found.add(path)
        waiting.append(module.rpartition(".")[0])
        waiting += _imports(path)
    return found


def _path(module: str) -> Path | None:
    """Return the file of one of our modules; None for any other name."""
    if module != _PACKAGE and not module.startswith(f"{_PACKAGE}."):
        return None
    place = _HOME.parent.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.exists()), None)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
