"""The commit window: people look at the verified service, then the cutover is committed or rolled back.

Rolling back is giving the cutover up as :mod:`incorta_provider.steps.cutover.abort` does, with traffic sent back: what
was done at the target meanwhile is lost, and the window says so. Until one of both was decided, nothing is promoted.

:raises PreconditionError: an answer that is none of both.
"""

from __future__ import annotations

from collections.abc import Sequence

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.dr.topology import CommitWindow
from incorta_provider.exceptions import PreconditionError
from incorta_provider.steps.cutover.abort import Abandoned, abort
from incorta_provider.steps.cutover.report import report_so_far
from incorta_provider.steps.cutover.run import CutoverRun

COMMIT, ROLL_BACK = "Commit", "Roll back"
NOBODY = "nobody, in time"
"""Who decided when the window closed by itself."""


def on_silence(window: CommitWindow) -> list[str] | None:
    """Return the answer that silence is; None when a window stays open until a person answers."""
    return {"commit": [COMMIT], "roll_back": [ROLL_BACK], "keep": None}[window.on_timeout]


def question(run: CutoverRun, page: str) -> str:
    """Return what is put before whoever decides, as Markdown.

    :param page: where the report of this cutover, as it is by now, can be opened.
    """
    plan, report, window = run.folder.plan(), report_so_far(run), run.access.config.commit_window
    silence = {
        "commit": f"after {window.seconds} s without an answer it is committed",
        "roll_back": f"after {window.seconds} s without an answer it is rolled back",
        "keep": "it waits until somebody answers",
    }[window.on_timeout]
    return "\n".join(
        [
            f"**{plan.target} is verified: commit the cutover of {plan.group}, or roll it back?**",
            "",
            f"- RPO {report.rpo_seconds} s, RTO {report.rto_seconds} s; [report so far]({page})",
            f"- **{COMMIT}**: {plan.target} becomes the active site; the metadata that it had before are dropped",
            f"- **{ROLL_BACK}**: traffic and role go back to {plan.source}, {plan.target} is stopped and gets the "
            f"metadata back that it had before; what was done there since the cutover is lost",
            f"- {silence}",
        ]
    )


def decided_to_roll_back(run: CutoverRun) -> str | None:
    """Return who decided to roll this cutover back: that stands, also while it cannot be carried out."""
    return run.folder.roll_back()


def decide(run: CutoverRun, chosen: Sequence[str], *, by: str) -> Abandoned | None:
    """Carry out what was decided, and return what was given up; None when it is to be committed.

    :param by: the account that answered, or :data:`NOBODY`.
    """
    if list(chosen) == [ROLL_BACK] or decided_to_roll_back(run):
        run.folder.keep_roll_back(by)
        run.note("cutover.roll_back.decided", "roll back", {"by": by}, actor=by)
        return abort(run.access, run.run_id, by=by)
    if list(chosen) != [COMMIT]:
        raise PreconditionError(
            f"the commit window was answered with {', '.join(chosen) or 'nothing'}",
            where=f"cutover {run.run_id}",
            fix=f"Clear this task, and answer {COMMIT} or {ROLL_BACK}.",
        )

    def action(_: Plan) -> dict[str, str]:
        return {"decided": COMMIT, "by": by}

    run.perform(StepName.COMMIT_WINDOW, action)
    return None
