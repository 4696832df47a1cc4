"""One drill: a run of the plan whose target is the site's place for drills.

The steps of a cutover run unchanged in it. Its record lies in the site's own catalog, where its open plan keeps the
point from being pruned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import PreconditionError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.roles import role_at
from incorta_provider.storage.records.drill_record import DrillPlace


@dataclass(frozen=True, kw_only=True)
class DrillRun(CutoverRun):
    """A drill at one site.

    :ivar target: the place for drills.
    :ivar site: the site that it is at.
    """

    site: SiteAccess

    @property
    def place(self) -> DrillPlace:
        """Who is in the place."""
        return DrillPlace(self.site.catalog)

    def ensure_inactive(self) -> int:
        """Refuse a drill at a site that is active or is being promoted, and return the epoch.

        :raises PreconditionError: it is; or nobody is, by a registry that is empty.
        """
        role = role_at(self.access, self.site)
        if role is None or role.active == self.site.name:
            state = "nobody is active" if role is None else f"{role.active} is active or being promoted"
            raise PreconditionError(
                f"no drill at {self.site.name}: its registry says that {state}",
                where=f"drill {self.run_id}",
                fix="Drills are for DR sites, and give way to cutovers; see `incorta-dr status`.",
            )
        return role.epoch

    def note(self, event: str, key: str, details: Mapping[str, Any], *, actor: str = "") -> None:
        """Write one line to the ledger; the steps that a drill shares with a cutover are told as the drill's."""
        super().note(event.replace("cutover.", "drill.", 1), key, details, actor=actor)

    def _ensure_role(self, step: StepName, plan: Plan) -> None:
        """A drill has no role: it asks whether the place is its own still. Cleaning up is never refused."""
        if plan.mode.is_cutover:
            raise self._not_now("its id is that of a cutover")
        if step is StepName.CLEAN_DRILL:
            return
        if self.folder.result(StepName.CLEAN_DRILL) is not None:
            raise self._not_now("it was cleaned up")
        taken = self.place.taken()
        if step is not StepName.PREPARE_DRILL and (taken is None or taken.run_id != self.run_id):
            raise self._not_now("its files and metadata are not there any more")
        self.ensure_inactive()

    def _not_now(self, why: str) -> PreconditionError:
        return PreconditionError(
            f"this drill cannot continue: {why}", where=f"drill {self.run_id}", fix="Trigger a new drill."
        )


def drill_run(access: GroupAccess, site: str, run_id: str, actor: str, *, clear_number: int = 0) -> DrillRun:
    """Return a drill by its id.

    :param clear_number: how often Airflow cleared the run.
    :raises ConfigurationError: the site has no place for drills.
    """
    return DrillRun(
        access=access,
        target=access.drill(site),
        run_id=run_id,
        actor=actor,
        clear_number=clear_number,
        site=access.site(site),
    )
