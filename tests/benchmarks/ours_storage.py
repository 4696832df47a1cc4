"""Our side of the storage contests: one recovery point, by the calls that the replication steps make.

Everything that a run does with files is in: see ``STEPS``. Left out are the dump, whose two files are empty here, and
the look-up of the files that it names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from incorta_provider.storage import catalog as catalog_module
from incorta_provider.storage.apply.redo_journal import RedoJournal
from incorta_provider.storage.copying import checks as checks_module
from incorta_provider.storage.copying import outcome as outcome_module
from incorta_provider.storage.copying import transfer as transfer_module
from incorta_provider.storage.copying import workspace as workspace_module
from incorta_provider.storage.copying.checks import drop_from_manifest, ensure_staged, verify_staged
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.local.volume import LocalVolume
from tests.benchmarks.phases import Phases, Split
from tests.builders.storage import Pair, complete, make_point

ONE_PASS = ("final copy", "check", "seal", "apply")
ALL_PASSES = ("pre-copy", *ONE_PASS)
PASSING_OVER = ("final copy, unchanged folders passed over", *ONE_PASS[1:])

SPLITS: tuple[Split, ...] = (
    (transfer_module, "survey", "copy: list and decide"),
    (outcome_module, "edit", "copy: write the manifest of a later point"),
    (checks_module, "edit", "check: write the manifest again"),
    (workspace_module, "remove_tree", "seal: remove what the passes left"),
    (catalog_module, "sync_filesystem", "seal: flush to disk"),
    (RedoJournal, "write", "apply: compare manifests, journal"),
    (LocalVolume, "do", "apply: renames"),
    (LocalVolume, "finish", "apply: times of folders"),
    (LocalVolume, "sync", "flush to disk, a part of it beside copy and check"),
)


@dataclass(frozen=True)
class _Run:
    pair: Pair
    number: int

    @property
    def workspace(self) -> Workspace:
        return self.pair.catalog.workspace(self.point_id)

    @property
    def point_id(self) -> str:
        return f"point-{self.number:04d}"

    def pre_copy(self) -> None:
        """Copy until a pass finds no less than the one before, as the step does."""
        before = self._copy(final=False)
        while before and (copied := self._copy(final=False)) < before:
            before = copied

    def final_copy(self) -> None:
        self._copy(final=True)

    def passing_copy(self) -> None:
        self._copy(final=True, immutable=("*",))

    def check(self) -> None:
        """Read everything staged again, and leave out what is not whole."""
        staged = verify_staged(self.pair.target, self.workspace)
        assert not staged.damaged
        assert not staged.framing_faults
        drop_from_manifest(self.workspace, staged.framing_faults)

    def seal(self) -> None:
        workspace = self.workspace
        complete(workspace)
        ensure_staged(self.pair.target, workspace)
        self.pair.target.flush(workspace)
        self.pair.catalog.seal(workspace, make_point(self.point_id, workspace, minute=self.number))

    def apply(self) -> None:
        self.pair.apply(self.point_id)

    def _copy(self, *, final: bool, immutable: tuple[str, ...] = ()) -> int:
        self.pair.tree.check()
        return self.pair.copy(self.workspace, final=final, immutable=immutable).copied_bytes


STEPS: Mapping[str, Callable[[_Run], None]] = {
    "pre-copy": _Run.pre_copy,
    "final copy": _Run.final_copy,
    "final copy, unchanged folders passed over": _Run.passing_copy,
    "check": _Run.check,
    "seal": _Run.seal,
    "apply": _Run.apply,
}


def replicate(root: Path, number: int, steps: tuple[str, ...]) -> Mapping[str, float]:
    """Do steps of one run between the folders of a pair; return the seconds by phase.

    :param number: of the run; a later one has a higher number.
    """
    return replicate_pair(Pair(root), number, steps)


def replicate_pair(
    pair: Pair, number: int, steps: tuple[str, ...], splits: tuple[Split, ...] = SPLITS
) -> Mapping[str, float]:
    """Do the same for a pair whose source or target may be of another kind."""
    run = _Run(pair, number)
    run.pair.catalog.initialise("acme", "newyork")
    phases = Phases()
    with phases.splitting(splits):
        for step in steps:
            with phases.phase(step):
                STEPS[step](run)
    return dict(phases.seconds)
