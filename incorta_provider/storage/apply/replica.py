"""Do the steps of an apply on the live replica.

Each step can be done again after a crash at any point of it. What stands in its way, by plan or by hand, is moved to
the history, and a folder that was replaced by a link is not walked through. Nothing is deleted.
"""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH101, PTH102, PTH104, PTH114, PTH115, PTH211

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from itertools import count

from incorta_provider.dr.manifest import MODE_BITS, parent_of, shown
from incorta_provider.storage.apply.redo_journal import Step, Verb
from incorta_provider.storage.folders import make_folders

log = logging.getLogger(__name__)

_OPEN = 0o700
"""What we need of a folder to change what is in it."""


class Replica:
    """The live replica at ``root``.

    :param vault: where files to place are found.
    :param history: the folder that takes what is moved out; this apply's own.
    """

    def __init__(self, root: bytes, vault: bytes, history: bytes) -> None:
        self._root = root
        self._vault = vault
        self._history = history
        self._folders: set[bytes] = set()
        self._changed: set[bytes] = set()
        self._do = {
            Verb.REMOVE: self._remove,
            Verb.FOLDER: self._folder,
            Verb.LINK: self._link,
            Verb.PLACE: self._place,
            Verb.TREE: self._tree,
            Verb.TOUCH: self._touch,
        }

    def do(self, step: Step) -> None:
        """Do one step, or nothing when it is done."""
        parent = parent_of(step.path)
        self._make_folders(parent)
        self._changed.add(parent)
        self._do[step.verb](step)

    @property
    def changed_folders(self) -> list[bytes]:
        """The folders whose time and mode must be set again, because steps made or used them; sorted."""
        return sorted(self._changed - {b""})

    def _remove(self, step: Step) -> None:
        """Move a path out, once: what stands there while the history has it already came later."""
        if not os.path.lexists(self._history + b"/files/" + step.path):
            self._move_out(step.path)

    def _folder(self, step: Step) -> None:
        self._make_folder(step.path)
        self._changed.add(step.path)

    def _link(self, step: Step) -> None:
        path = self._live(step.path)
        if os.path.islink(path) and os.readlink(path) == step.source:
            return
        self._move_out(step.path)
        os.symlink(step.source, path)

    def _place(self, step: Step) -> None:
        """Move a file in; where its source is gone, a former try did."""
        source = self._vault + b"/" + step.source
        facts = _facts(source)
        if facts is None:
            return
        self._move_out(step.path)
        if (stat.S_IMODE(facts.st_mode), facts.st_mtime_ns) != (step.mode, step.mtime_ns):
            os.chmod(source, step.mode)
            os.utime(source, ns=(step.mtime_ns, step.mtime_ns))
        try:
            os.rename(source, self._live(step.path))
        except PermissionError:
            os.chmod(parent_of(source), _OPEN)
            os.rename(source, self._live(step.path))

    def _tree(self, step: Step) -> None:
        """Move a folder in with all that it holds; where its source is gone, a former try did."""
        source = self._vault + b"/" + step.source
        if _facts(source) is not None:
            self._move_out(step.path)
            os.rename(source, self._live(step.path))
        self._changed.add(step.path)

    def _touch(self, step: Step) -> None:
        """Set time and mode of a file that stays; one that is gone by hand is for the compare to find."""
        facts = _facts(self._live(step.path))
        if facts is None or not stat.S_ISREG(facts.st_mode):
            log.warning("%s is not in the live replica, though the point before has it", shown(step.path))
            return
        os.chmod(self._live(step.path), step.mode)
        os.utime(self._live(step.path), ns=(step.mtime_ns, step.mtime_ns))

    def _make_folders(self, folder: bytes) -> None:
        """See to it that a folder and all above it are real folders that we may use."""
        if not folder or folder in self._folders:
            return
        end = folder.find(b"/")
        while end >= 0:
            self._make_folder(folder[:end])
            end = folder.find(b"/", end + 1)
        self._make_folder(folder)

    def _make_folder(self, folder: bytes) -> None:
        if folder in self._folders:
            return
        path = self._live(folder)
        facts = _facts(path)
        if facts is not None and not stat.S_ISDIR(facts.st_mode):
            self._move_out(folder)
            facts = None
        if facts is None:
            os.mkdir(path, _OPEN)
            self._changed.add(folder)
        elif facts.st_mode & _OPEN != _OPEN:
            os.chmod(path, stat.S_IMODE(facts.st_mode) | _OPEN)
            self._changed.add(folder)
        self._folders.add(folder)

    def _move_out(self, path: bytes) -> None:
        """Move what stands at a path, if anything, to where the history has nothing yet."""
        live = self._live(path)
        facts = _facts(live)
        if facts is None:
            return
        if stat.S_ISDIR(facts.st_mode) and facts.st_mode & _OPEN != _OPEN:
            os.chmod(live, facts.st_mode & MODE_BITS | _OPEN)
        os.rename(live, self._free_place(path))

    def _free_place(self, path: bytes) -> bytes:
        """Return a place in the history: under ``files``, or beside it for what was written by hand in between."""
        for number in count():
            place = self._history + (b"/by-hand-%d/" % number if number else b"/files/") + path
            with suppress(FileExistsError, NotADirectoryError):
                make_folders(parent_of(place))
                if not os.path.lexists(place):
                    break
        return place

    def _live(self, path: bytes) -> bytes:
        return self._root + b"/" + path


def _facts(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
