"""Record the new active site: the last step, and the second that verifies the approval itself.

:raises ApprovalError: the approval is absent or not valid.
:raises FencingError: another cutover took over.
"""

from __future__ import annotations

from incorta_provider.coordination.role_registry import RoleRegistry
from incorta_provider.coordination.zookeeper import connect
from incorta_provider.dr.epoch import Role, registry_empty, steady_role
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.metadata.restore import enable_events
from incorta_provider.steps.cutover.approve import used_approval
from incorta_provider.steps.cutover.report import save_report
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.locking import give_back
from incorta_provider.steps.point import point_inventory
from incorta_provider.steps.roles import tell


def promote(run: CutoverRun) -> Result:
    """Switch database events on, record the target as active, write the report, give the lock back."""

    def action(plan: Plan) -> Result:
        used_approval(run, plan)
        events = _enable_events(run)
        role = _record_role(run, plan)
        others = [name for name in run.access.config.sites if name != plan.target]
        return {"events": events, "epoch": role.epoch, "not_told": tell(run.access, others, role)}

    run.perform(StepName.PROMOTE, action)
    plan = run.folder.plan()
    report = save_report(run, plan, used_approval(run, plan))
    give_back(run.access, run.target, run.run_id)
    run.note("cutover.done", "done", {name: report[name] for name in ("rpo_seconds", "rto_seconds", "unfenced")})
    return report


def _enable_events(run: CutoverRun) -> list[str]:
    inventory = point_inventory(run.target.catalog, run.point())
    return enable_events(run.target.database, inventory)


def _record_role(run: CutoverRun, plan: Plan) -> Role:
    with connect(run.target.zookeeper) as session:
        registry = RoleRegistry(session, run.access.name)
        stored = registry.read()
        if stored is None:
            raise registry_empty(run.target.name)
        role = steady_role(stored.role, by=plan.requested_by, run_id=run.run_id, at=run.access.clock())
        return registry.compare_and_set(stored, role).role
