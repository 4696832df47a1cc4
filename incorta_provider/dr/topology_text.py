"""Read a topology from its text, with errors that name file, line and key.

:raises ConfigurationError: the text is no YAML, a key is given twice, or a value does not fit. One error holds every
    fault that was found, so that a file is corrected in one go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import ValidationError

from incorta_provider.dr.topology import Topology
from incorta_provider.exceptions import ConfigurationError

Path = tuple[str | int, ...]


def parse_topology(text: str, source: str) -> Topology:
    """Return the topology that ``text`` describes.

    :param source: the file's name, for error messages.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise _refused([_yaml_fault(error, source)], source) from None
    if not isinstance(root, yaml.MappingNode):
        raise _refused([f"{source}:1: the file must hold a mapping with the key 'groups'"], source)
    repeated = [f"{source}:{line}: {_dotted(path)}: key given twice" for path, line in _repeated_keys(root, ())]
    if repeated:
        raise _refused(repeated, source)
    return _validated(yaml.safe_load(text), dict(_lines(root, ())), source)


def _validated(document: Any, lines: dict[Path, int], source: str) -> Topology:
    try:
        return Topology.model_validate(document)
    except ValidationError as error:
        faults = [
            f"{source}:{_line_of(fault['loc'], lines)}: {_dotted(_real_part(fault['loc'], lines))}: {_reason(fault)}"
            for fault in error.errors(include_url=False)
        ]
    raise _refused(faults, source)


def _refused(faults: list[str], source: str) -> ConfigurationError:
    return ConfigurationError(
        "the topology is wrong:\n  " + "\n  ".join(faults),
        where=source,
        fix="Correct it and run `incorta-dr topology check`.",
    )


def _reason(fault: Any) -> str:
    if fault["type"] == "missing":
        return f"key {fault['loc'][-1]!r} is missing"
    if fault["type"] == "extra_forbidden":
        return f"unknown key {fault['loc'][-1]!r}"
    message = str(fault["msg"])
    return message.removeprefix("Value error, ")


def _yaml_fault(error: yaml.YAMLError, source: str) -> str:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else 1
    return f"{source}:{line}: no valid YAML: {getattr(error, 'problem', None) or error}"


def _children(node: yaml.Node, path: Path) -> Iterator[tuple[Path, yaml.Node, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, str(key.value)), value, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*path, index), value, value.start_mark.line + 1


def _lines(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int]]:
    for child_path, child, line in _children(node, path):
        yield child_path, line
        yield from _lines(child, child_path)


def _repeated_keys(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int]]:
    seen: set[Path] = set()
    for child_path, child, line in _children(node, path):
        if child_path in seen:
            yield child_path, line
        seen.add(child_path)
        yield from _repeated_keys(child, child_path)


def _real_part(location: Path, lines: dict[Path, int]) -> Path:
    """Cut what pydantic adds to a location: the part of it that stands in the file, plus one missing key."""
    for length in range(len(location), 0, -1):
        if location[:length] in lines:
            return location[: length + 1] if length + 1 == len(location) else location[:length]
    return location


def _line_of(location: Path, lines: dict[Path, int]) -> int:
    for length in range(len(location), 0, -1):
        if location[:length] in lines:
            return lines[location[:length]]
    return 1


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path) or "(file)"
