"""The steps from what the live replica is to a recovery point, all of them before the first one is done."""

from __future__ import annotations

from collections.abc import Iterator

from incorta_provider.dr.diff import Change, same_content
from incorta_provider.dr.manifest import Entry, Kind, OpenFolders, is_safe, shown
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.apply.changes import Changes
from incorta_provider.storage.apply.redo_journal import Step, Verb
from incorta_provider.storage.apply.whole_folders import whole_folders
from incorta_provider.storage.copying.work_pool import chunks
from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.vault.vault import Vault
from incorta_provider.storage.volume import STEPS

_SHOWN = 20


class ApplyPlan:
    """The way to one point.

    :param way: from what the replica is; or, when it was never applied to, from nothing.
    :param unmanaged: it was never applied to, so all that it holds must leave it.
    """

    def __init__(self, vault: Vault, point_id: str, way: Changes, *, unmanaged: bool) -> None:
        self._volume = vault.volume
        self._way = way
        self._unmanaged = unmanaged
        self._target = vault.catalog.manifest_path(point_id)
        self._own = vault.own_area(point_id)
        self._others = vault.other_areas(self._own)
        self._gone = OpenFolders()
        self._brought = OpenFolders()
        self._last_brought: tuple[bytes, ...] = ()  # what most files of a first sync are in: found without a search
        self._whole: dict[bytes, int] = {}
        self._missing: list[bytes] = []

    def steps(self) -> Iterator[Step]:
        """Yield the steps in path order, so that a folder comes before what is in it.

        :raises IntegrityError: at the end, when files of the target were not found.
        """
        if self._unmanaged:
            yield from (Step(Verb.REMOVE, name) for name in self._volume.live_root().names)
        self._whole = whole_folders(self._way.changes(), self._volume.area(self._own))
        for some in chunks(self._way.changes(), STEPS):
            alive()
            yield from self._with_places([step for change in some if (step := self._step(change)) is not None])
        if self._missing:
            raise self._incomplete()

    def _step(self, change: Change) -> Step | Change | None:
        """Return the step that a change needs; the change itself when its bytes must be found first."""
        new = change.new
        if new is None:
            return self._leave(change.old)
        if new.path.startswith(self._last_brought) and new.kind is Kind.FILE:
            return None
        return self._become(change, change.old, new)

    def _leave(self, old: Entry | None) -> Step | None:
        """Move a path out; what a folder holds goes with the folder."""
        if old is None or self._gone.contains(old.path):
            return None
        if old.kind is Kind.DIR:
            self._gone.enter(old.path)
        return Step(Verb.REMOVE, old.path)

    def _become(self, change: Change, old: Entry | None, new: Entry) -> Step | Change | None:
        if not is_safe(new.path):
            raise self._unsafe(new.path)
        if new.kind is Kind.DIR:
            return self._folder(new.path)
        if new.kind is Kind.FILE and self._whole and self._brought.contains(new.path):
            return None
        if old is not None and old.kind is Kind.DIR:
            self._gone.enter(old.path)
        if new.kind is Kind.LINK:
            return Step(Verb.LINK, new.path, new.link_target or b"")
        if old is not None and same_content(old, new):
            return Step(Verb.TOUCH, new.path, mode=new.mode, mtime_ns=new.mtime_ns)
        return change

    def _folder(self, path: bytes) -> Step:
        """Make a folder, or move it in with all its files if it can be taken as a whole."""
        if (files := self._whole.get(path)) is None:
            return Step(Verb.FOLDER, path)
        self._brought.enter(path)
        self._last_brought = (path + b"/",)
        return Step(Verb.TREE, path, self._own + b"/" + path, files=files)

    def _with_places(self, found: list[Step | Change]) -> Iterator[Step]:
        """Yield steps as they are, and for each change the step that brings its bytes from where they lie."""
        wanted = [change.new for change in found if isinstance(change, Change) and change.new is not None]
        places = iter(self._volume.find(self._own, self._others, wanted) if wanted else ())
        for one in found:
            if isinstance(one, Step):
                yield one
            elif one.new is not None and (place := next(places)) is not None:
                added = one.old is None or one.old.kind is not Kind.FILE
                yield Step(Verb.PLACE, one.new.path, place, one.new.mode, one.new.mtime_ns, added)
            elif one.new is not None:
                self._missing.append(one.new.path)

    def _incomplete(self) -> IntegrityError:
        names = "\n  ".join(shown(path) for path in self._missing[:_SHOWN])
        return IntegrityError(
            f"{len(self._missing)} file(s) of the recovery point are nowhere in the catalog:\n  {names}",
            where=str(self._target),
            fix="Nothing was changed. Choose another recovery point.",
        )

    def _unsafe(self, path: bytes) -> IntegrityError:
        return IntegrityError(
            f"the manifest names a path outside of the storage: {shown(path)}",
            where=str(self._target),
            fix="Nothing was changed. The manifest is forged or damaged; choose another recovery point.",
        )
