"""What people do in these stories: they ask for a cutover, approve it, and wait for what starts."""

from __future__ import annotations

import time

from incorta_provider.dr.approval import APPROVE, Approval
from incorta_provider.dr.plan import Mode, Plan
from incorta_provider.dr.request import Request
from incorta_provider.steps.cutover.apply import apply
from incorta_provider.steps.cutover.approve import seal_approval
from incorta_provider.steps.cutover.compare import compare
from incorta_provider.steps.cutover.fence import fence
from incorta_provider.steps.cutover.request import request_cutover
from incorta_provider.steps.cutover.restore import restore
from incorta_provider.steps.cutover.rewrite import rewrite_metadata
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.start import start_analytics, start_cmc, start_loader, start_nodes
from incorta_provider.steps.cutover.stop_target import stop_target
from incorta_provider.steps.readiness import Part, not_ready
from incorta_provider.steps.roles import role_at
from lab.layout import DR

DATA_STEPS = (fence, stop_target, apply, restore, rewrite_metadata, compare)
STARTS = (
    (start_nodes, Part.NODES),
    (start_cmc, Part.CMC),
    (start_loader, Part.LOADER),
    (start_analytics, Part.ANALYTICS),
)
READY_SECONDS = 240
"""Much more than it takes: what starts is a dozen processes, and the machine may be busy with others."""


def cutover(stage, run_id: str = "manual__1", target: str = DR) -> CutoverRun:
    return CutoverRun(access=stage.access, target=stage.access.site(target), run_id=run_id, actor="hana")


def request(stage, run: CutoverRun, **changes: object) -> Plan:
    now = stage.access.clock()
    fields = {
        "run_id": run.run_id,
        "target": run.target.name,
        "mode": Mode.UNPLANNED,
        "recovery_point": "",
        "confirmation": f"PROMOTE {run.target.name}",
        "reason": "the data centre is on fire",
        "accept_unfenced": True,
        "requested_by": "hana",
        "requested_at": now,
        "created_at": now,
    }
    return request_cutover(run, Request(**{**fields, **changes}))  # type: ignore[arg-type]


def approve(stage, run: CutoverRun, by: str | None = "omar", answer: str = APPROVE) -> Approval:
    return seal_approval(run, answered_by=by, chosen=[answer], answered_at=stage.access.clock())


def role(stage, site: str = DR):
    return role_at(stage.access, stage.access.site(site))


def events(stage) -> list[str]:
    return [entry.event for entry in stage.access.site(DR).ledger.entries()]


def wait_until_ready(run: CutoverRun, part: Part) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while reason := not_ready(run.target, part):
        assert time.monotonic() < deadline, reason
        time.sleep(0.3)
