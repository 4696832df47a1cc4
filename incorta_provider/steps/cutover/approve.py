"""The gate: a second person's answer becomes a signed approval in the catalog.

:raises ApprovalError: the answer is no approval; the ledger says who answered what.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.approval import Approval, ApprovalUse, ensure_second_person
from incorta_provider.dr.plan import Plan, ensure_plan_fresh
from incorta_provider.exceptions import ApprovalError, ConfigurationError
from incorta_provider.steps.access import GroupAccess
from incorta_provider.steps.cutover.run import CutoverRun

MIN_KEY_BYTES = 16


def signing_key(access: GroupAccess) -> bytes:
    """Return the key that approvals are signed with: the password of the group's approval connection.

    :raises ConfigurationError: there is none, or it is too short to be a secret.
    """
    info: ConnectionInfo = access.connections(access.config.approval.conn_id)
    key = info.password.encode()
    if len(key) < MIN_KEY_BYTES:
        raise ConfigurationError(
            f"the signing key of approvals is shorter than {MIN_KEY_BYTES} bytes",
            where=f"connection {info.conn_id}",
            fix="Set its password to a long random text that only the workers can read.",
        )
    return key


def plan_to_approve(run: CutoverRun) -> Plan:
    """Return the frozen plan, if it is still true enough to be put before an approver.

    :raises PreconditionError: there is none, or it is too old: what it says about the loss is no longer so.
    """
    plan = run.folder.plan()
    ensure_plan_fresh(plan, run.access.clock(), timedelta(seconds=run.access.config.approval.timeout_seconds))
    return plan


def seal_approval(
    run: CutoverRun, *, answered_by: str | None, chosen: Sequence[str], answered_at: datetime
) -> Approval:
    """Sign the answer of a second person, or refuse it; either way it stands in the ledger."""
    plan = run.folder.plan()
    answer = {"answered_by": answered_by, "chosen": list(chosen), "plan_sha256": plan.sha256}
    try:
        approver = ensure_second_person(plan.requested_by, answered_by, list(chosen), run_id=run.run_id)
    except ApprovalError as refusal:
        event = "cutover.refused" if answered_by else "cutover.timed_out"
        key = f"refused:{answered_at.isoformat()}"
        run.note(event, key, {**answer, "reason": refusal.what}, actor=answered_by or "nobody")
        raise
    approval = _approval(run, plan, approver, answered_at).signed(signing_key(run.access))
    run.folder.save_approval(approval)
    run.note("cutover.approved", f"approved:{approval.nonce}", answer, actor=approver)
    return approval


def _approval(run: CutoverRun, plan: Plan, approver: str, answered_at: datetime) -> Approval:
    return Approval(
        group=plan.group,
        run_id=plan.run_id,
        plan_sha256=plan.sha256,
        recovery_point=plan.recovery_point,
        target=plan.target,
        clear_number=run.clear_number,
        requested_by=plan.requested_by,
        approved_by=approver,
        approved_at=answered_at,
        expires_at=answered_at + timedelta(seconds=run.access.config.approval.timeout_seconds),
        nonce=secrets.token_hex(16),
    )


def verified_approval(run: CutoverRun, plan: Plan) -> Approval:
    """Return this run's newest approval after checking its signature and what it is bound to.

    :raises ApprovalError: there is none, or it is not valid here.
    """
    return _verified(run, plan, run.folder.approval())


def approval_to_use(run: CutoverRun, plan: Plan, now: datetime) -> Approval:
    """Return the approval under which a site may be touched for the first time, and write its use down.

    A source is quiesced under an approval, and fenced under the same one, also in a later round.

    :raises ApprovalError: there is none, it is not valid here, it is too old, or the run was cleared since.
    """
    approval, use = verified_approval(run, plan), run.folder.approval_use()
    approval.ensure_fresh(now)
    if use is not None and use.nonce == approval.nonce:
        return approval
    approval.ensure_round(run.clear_number)
    run.folder.use_approval(ApprovalUse(nonce=approval.nonce, clear_number=approval.clear_number, used_at=now))
    return approval


def used_approval(run: CutoverRun, plan: Plan) -> Approval:
    """Return the approval that the cutover used, verified: one that was given afterwards is another one.

    :raises ApprovalError: it used none, or it is not valid here.
    """
    use = run.folder.approval_use()
    approval = _verified(run, plan, run.folder.approval(use.nonce) if use else None)
    if use is not None:
        approval.ensure_round(use.clear_number)
    return approval


def _verified(run: CutoverRun, plan: Plan, approval: Approval | None) -> Approval:
    if approval is None:
        raise ApprovalError(
            "nobody approved this cutover",
            where=f"run {run.run_id}",
            fix="Answer the approval task; marking it as success is not an approval.",
        )
    key = signing_key(run.access)
    approval.verify(key, run_id=run.run_id, plan_sha256=plan.sha256, recovery_point=plan.recovery_point)
    return approval
