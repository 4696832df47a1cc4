"""Read a topology from its text, with errors that name file, line and key.

The text is plain YAML. Anchors, aliases, merge keys and tags are refused: a value stands where it is read, so an error
names one line, and a short text cannot grow into a huge one.

:raises ConfigurationError: the text is not plain YAML, a key is given twice, or a value does not fit. One error holds
    every fault of its kind that was found, so that a file is corrected in a few goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import ValidationError

from incorta_provider.dr.topology import Topology
from incorta_provider.exceptions import ConfigurationError

Path = tuple[str | int, ...]

TEXT_TAG = "tag:yaml.org,2002:str"

MAX_DEPTH = 20
"""How deep a topology may be nested; it needs seven levels."""


MAX_FAULTS = 50
"""How many faults one error shows: more come from the wrong file, not from a wrong topology."""


class _PlainLoader(yaml.SafeLoader):
    """A loader of the part of YAML that a topology needs; every refusal carries its line."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse what is not plain before the library follows it."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise _refusal("anchors and aliases are not supported; write the value out", event)
        if event.tag not in {None, "!"}:
            raise _refusal(f"the tag {event.tag} is not supported", event)
        if self.depth == MAX_DEPTH:
            raise _refusal(f"nested deeper than {MAX_DEPTH} levels", event)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Name the line of a value that looks like a date or a number and is not."""
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise _refusal(f"{node.value[:40]!r} is not a valid value ({error}); put text in quotes", node) from None


def _refusal(problem: str, at: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)


def parse_topology(text: str, source: str) -> Topology:
    """Return the topology that ``text`` describes.

    :param source: the file's name, for error messages.
    """
    try:
        loader = _PlainLoader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise _refused([f"{source}:1: the file must hold a mapping with the key 'groups'"], source)
        faults = [f"{source}:{line}: {_dotted(path)}: {fault}" for path, line, fault in _key_faults(root, ())]
        if faults:
            raise _refused(faults, source)
        document = loader.construct_document(root)
    except yaml.YAMLError as error:
        raise _refused([_yaml_fault(error, text, source)], source) from None
    return _validated(document, dict(_lines(root, ())), source)


def _validated(document: Any, lines: dict[Path, int], source: str) -> Topology:
    try:
        return Topology.model_validate(document)
    except ValidationError as error:
        faults = [
            f"{source}:{_line_of(fault['loc'], lines)}: {_dotted(_key_of(fault['loc']))}: {_reason(fault)}"
            for fault in error.errors(include_url=False)
        ]
    raise _refused(faults, source)


def _refused(faults: list[str], source: str) -> ConfigurationError:
    more = [f"… and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
    return ConfigurationError(
        "the topology is wrong:\n  " + "\n  ".join(faults[:MAX_FAULTS] + more),
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


def _yaml_fault(error: yaml.YAMLError, text: str, source: str) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f"{source}:{line}: not valid YAML: the character U+{int(error.character):04X} is not allowed"
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else 1
    return f"{source}:{line}: not valid YAML: {getattr(error, 'problem', None) or error}"


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


def _key_faults(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int, str]]:
    """Yield the keys that are given twice, and those that are not text (numbers, ``yes``, ``<<``, whole lists)."""
    seen: set[Path] = set()
    if isinstance(node, yaml.MappingNode):
        for key, _ in node.value:
            if key.tag != TEXT_TAG:
                name = repr(key.value[:40]) if isinstance(key, yaml.ScalarNode) else "a list or mapping"
                yield path, key.start_mark.line + 1, f"key {name} is not text; put it in quotes if it is meant"
    for child_path, child, line in _children(node, path):
        if child_path in seen:
            yield child_path, line, "key given twice"
        seen.add(child_path)
        yield from _key_faults(child, child_path)


def _key_of(location: Path) -> Path:
    """Return the key that pydantic's location means: it adds a part when the name itself is at fault."""
    return location[:-1] if location[-1:] == ("[key]",) else location


def _line_of(location: Path, lines: dict[Path, int]) -> int:
    for length in range(len(location), 0, -1):
        if location[:length] in lines:
            return lines[location[:length]]
    return 1


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path) or "(file)"
