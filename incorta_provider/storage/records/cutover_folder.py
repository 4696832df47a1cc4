"""What the catalog keeps of one cutover: the frozen plan, the approval, each step's result, the report.

A file that is decided once is never written over: the plan of a run stays the one that was approved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from incorta_provider.dr.approval import Approval, ApprovalUse
from incorta_provider.dr.fence_mark import FenceMark
from incorta_provider.dr.machine import Progress
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.dr.traffic import State
from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.names import folder_name
from incorta_provider.storage.records.json_file import read_json, read_model, write_json, write_text

FOUND_BEFORE = ("traffic.json", "fence-mark.json", "source-events.json")
"""What a cutover finds at both sites and writes down before it changes it."""


class CutoverFolder:
    """``cutovers/<run>/`` in the catalog of the target site."""

    def __init__(self, catalog_root: Path, run_id: str) -> None:
        self.run_id = run_id
        self._catalog = Catalog(catalog_root)
        self.root = catalog_root / "cutovers" / folder_name(run_id)

    @classmethod
    def all(cls, catalog_root: Path) -> list[tuple[CutoverFolder, Plan]]:
        """Return the folders of all cutovers that have a plan, with it.

        :raises IntegrityError: a plan cannot be read.
        """
        plans = (read_model(path, Plan) for path in sorted((catalog_root / "cutovers").glob("*/plan.json")))
        return [(cls(catalog_root, plan.run_id), plan) for plan in plans if plan is not None]

    def freeze(self, plan: Plan) -> Plan:
        """Keep the plan and return the one that holds: the first that was frozen for this run."""
        if (known := self._read("plan.json")) is not None:
            return Plan.model_validate(known)
        self._write("plan.json", plan.model_dump(mode="json"))
        return plan

    def has_plan(self) -> bool:
        """Tell whether this run froze a plan."""
        return (self.root / "plan.json").exists()

    def plan(self) -> Plan:
        """Return the frozen plan.

        :raises PreconditionError: this run froze none.
        """
        if (known := self._read("plan.json")) is None:
            raise PreconditionError(
                f"no plan was frozen for run {self.run_id}",
                where=str(self.root),
                fix="Trigger the cutover DAG; its first task makes the plan.",
            )
        return Plan.model_validate(known)

    def save_approval(self, approval: Approval) -> None:
        """Keep the signed approval. One of a cleared gate takes the place of the newest; each is kept by its nonce."""
        document = approval.model_dump(mode="json")
        self._write(_approval_name(approval.nonce), document)
        self._write("approval.json", document)

    def approval(self, nonce: str | None = None) -> Approval | None:
        """Return the newest signed approval, or the one of that nonce; not verified."""
        known = self._read("approval.json" if nonce is None else _approval_name(nonce))
        return None if known is None else Approval.model_validate(known)

    def use_approval(self, use: ApprovalUse) -> None:
        """Keep which approval the cutover uses, before it takes effect."""
        self._write("approval-used.json", use.model_dump(mode="json"))

    def approval_use(self) -> ApprovalUse | None:
        """Return which approval the cutover used; None before it used any."""
        return read_model(self.root / "approval-used.json", ApprovalUse)

    def record(self, step: StepName, result: Mapping[str, Any]) -> None:
        """Keep the result of a step that is done."""
        self._write(f"steps/{step}.json", result)

    def result(self, step: StepName) -> dict[str, Any] | None:
        """Return the result of a step; None while it is not done."""
        known = self._read(f"steps/{step}.json")
        return None if known is None else dict(known)

    def done(self) -> set[StepName]:
        """Return the steps that are done."""
        return {step for step in StepName if (self.root / "steps" / f"{step}.json").exists()}

    def traffic_before(self) -> dict[str, State | None]:
        """Return what each doer of traffic had before this cutover changed it."""
        return dict(self._read("traffic.json") or {})

    def remember_traffic(self, name: str, state: State | None) -> dict[str, State | None]:
        """Keep what a doer has before it is changed, and return all that is kept."""
        known = {**self.traffic_before(), name: state}
        self._write("traffic.json", known)
        return known

    def skip(self, step: StepName, facts: Mapping[str, Any]) -> None:
        """Keep a person's decision to leave an optional step out."""
        self._write(f"skipped/{step}.json", facts)

    def skipped(self) -> set[StepName]:
        """Return the steps that a person decided to leave out."""
        return {step for step in StepName if (self.root / "skipped" / f"{step}.json").exists()}

    def progress(self) -> Progress:
        """Return how far the cutover is."""
        return Progress(
            done=self.done(),
            skipped=self.skipped(),
            approved=self.approval() is not None,
            unfenced=bool((self.result(StepName.FENCE) or {}).get("unfenced")),
            given_up=self.is_aborted() or self.roll_back() is not None,
        )

    def point_id(self) -> str:
        """Return the recovery point that is promoted: the final sync's, where the plan has one and it is done."""
        synced = self.result(StepName.FINAL_SYNC)
        return str(synced["recovery_point"]) if synced else self.plan().recovery_point

    def keep_loads(self, loads: Mapping[str, str]) -> dict[str, str]:
        """Keep how the last load of each schema had ended before any Loader was stopped, and return it."""
        self._write("loads-before.json", dict(loads))
        return dict(loads)

    def loads_before(self) -> dict[str, str] | None:
        """Return how the last loads had ended before any Loader was stopped; None before that."""
        known = self._read("loads-before.json")
        return None if known is None else dict(known)

    def inherit(self, run_id: str) -> None:
        """Take over what a run found before it changed anything, whose promotion this one takes up.

        The way back leads to what was there before both.
        """
        other = CutoverFolder(self._catalog.root, run_id)
        for name in FOUND_BEFORE:
            if self._read(name) is None and (found := other._read(name)) is not None:
                self._write(name, found)

    def keep_roll_back(self, by: str) -> None:
        """Keep that somebody decided to roll back; who was first stays."""
        if self.roll_back() is None:
            self._write("roll-back.json", {"by": by})

    def roll_back(self) -> str | None:
        """Return who decided to roll back; None while nobody did."""
        known = self._read("roll-back.json")
        return None if known is None else str(known["by"])

    def save_source_events(self, names: Sequence[str]) -> None:
        """Keep which events of the source's database were on before they were switched off."""
        self._write("source-events.json", list(names))

    def source_events(self) -> list[str]:
        """Return which events of the source's database this cutover switched off."""
        return list(self._read("source-events.json") or [])

    def save_report(self, report: Mapping[str, Any]) -> Path:
        """Keep the report and return where."""
        return self._write("report.json", report)

    def save_page(self, page: str) -> Path:
        """Keep the report as a page beside it and return where."""
        path = self._ready("report.html")
        write_text(path, page)
        return path

    def report(self) -> dict[str, Any] | None:
        """Return the report; None before the promotion."""
        known = self._read("report.json")
        return None if known is None else dict(known)

    def keep_fence_mark(self, mark: FenceMark) -> None:
        """Keep by whom the target's database was fenced, before it is opened."""
        self._write("fence-mark.json", mark.model_dump(mode="json"))

    def fence_mark(self) -> FenceMark | None:
        """Return by whom the target's database was fenced before this cutover opened it; None when it was open."""
        return read_model(self.root / "fence-mark.json", FenceMark)

    def mark_aborted(self) -> None:
        """Write down that the cutover was given up."""
        self._write("aborted.json", {"run_id": self.run_id})

    def is_aborted(self) -> bool:
        """Tell whether the cutover was given up."""
        return (self.root / "aborted.json").exists()

    def is_closed(self) -> bool:
        """Tell whether the cutover came to its end: a site was promoted, or it was given up."""
        return any((self.root / name).exists() for name in ("report.json", "aborted.json"))

    @property
    def schema_switch(self) -> Path:
        """Where it is recorded which schemas the restore of the metadata made and kept."""
        return self.root / "schema-switch"

    def _write(self, name: str, document: Any) -> Path:
        path = self._ready(name)
        write_json(path, document)
        return path

    def _ready(self, name: str) -> Path:
        """Make the folders of a file. Only the worker's account may open them: definitions of metadata lie there."""
        self._catalog.ensure_there()
        path = self.root / name
        for folder in (self.root.parent, self.root, path.parent, self.schema_switch):
            folder.mkdir(mode=0o700, exist_ok=True)
        return path

    def _read(self, name: str) -> Any | None:
        return read_json(self.root / name)


def _approval_name(nonce: str) -> str:
    return f"approvals/{folder_name(nonce)}.json"
