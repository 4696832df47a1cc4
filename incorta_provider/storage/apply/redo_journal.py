"""The journal of one apply: every step is written down, and on disk, before the first one is done.

The file appears by one rename when it is complete. From then on the apply can only go forward: whoever comes next,
after whatever crash, does all steps again. Each is written so that doing it again changes nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.copying.staged_index import from_text, quoted
from incorta_provider.storage.durable import sync_folder


class Verb(StrEnum):
    """What a step does to a path of the live replica.

    What stands in the way of a step is moved to the history first; nothing is ever deleted.
    """

    REMOVE = "remove"
    FOLDER = "folder"
    LINK = "link"
    PLACE = "place"
    TREE = "tree"
    TOUCH = "touch"


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    :param path: in the live replica.
    :param source: PLACE, TREE: where the file or folder is now, relative to the vault. LINK: the link's text.
    :param mode: PLACE and TOUCH: permission bits.
    :param mtime_ns: PLACE and TOUCH.
    :param added: PLACE: the point before did not have such a file.
    :param files: TREE: how many files the folder holds, none of which the point before had.
    """

    verb: Verb
    path: bytes
    source: bytes = b""
    mode: int = 0
    mtime_ns: int = 0
    added: bool = False
    files: int = 0


@dataclass(frozen=True, slots=True)
class Header:
    """What the apply is.

    :param base: the point that the replica was; None at its first apply.
    :param target: the point that it becomes.
    :param history: folder below the catalog's history that takes what is moved out.
    """

    base: str | None
    target: str
    history: str


class RedoJournal:
    """The journal at ``path``; absent when no apply is under way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, header: Header, steps: Iterable[Step]) -> None:
        """Write the whole journal and make it appear; when ``steps`` raises, there is none."""
        draft = self.path.with_name(f".{self.path.name}.draft")
        with draft.open("wb") as file:
            file.write(json.dumps(asdict(header)).encode() + b"\n")
            file.writelines(map(_step_line, steps))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self.path)
        sync_folder(self.path.parent)

    def header(self) -> Header | None:
        """Return what apply is under way; None when none is."""
        try:
            with self.path.open("rb") as file:
                return Header(**self._parsed(file.readline()))
        except FileNotFoundError:
            return None

    def steps(self) -> Iterator[Step]:
        """Yield the steps in their order."""
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                verb, path, source, *facts = self._parsed(line)
                yield Step(Verb(verb), from_text(path), from_text(source), *facts)

    def remove(self) -> None:
        """End the apply."""
        self.path.unlink(missing_ok=True)
        sync_folder(self.path.parent)

    def _parsed(self, line: bytes) -> Any:
        try:
            return json.loads(line)
        except ValueError:
            raise IntegrityError(
                "the journal of an apply is damaged",
                where=str(self.path),
                fix="Move it away and check the live replica against the point with a deep compare.",
            ) from None


def _step_line(step: Step) -> bytes:
    """Return a step as a JSON list, put together by hand because there is one for each file that moves."""
    path, source = quoted(step.path), quoted(step.source)
    added = "true" if step.added else "false"
    return f'["{step.verb}",{path},{source},{step.mode},{step.mtime_ns},{added},{step.files}]\n'.encode()
