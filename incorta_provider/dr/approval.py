"""The approval of a cutover: two persons, signed, good for one use, of one plan, in one round of one run.

The state of an upstream task or a value passed between tasks proves nothing: both can be set through Airflow's API by
anyone who may edit a run. So the gate signs what was approved with a key that only the workers can read, and the steps
that cannot be undone (fence, promote) verify the signature themselves.

Airflow counts how often a run was cleared. An approval opens the fence in the round in which it was given: a task that
is cleared before the fence took the role needs another answer, and one that is cleared after it goes on under the use
that the fence made of the approval.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import unicodedata
from datetime import UTC, datetime
from typing import Self

from pydantic import AwareDatetime, Field

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.exceptions import ApprovalError

APPROVE = "Approve"
REJECT = "Reject"


class Approval(FrozenModel):
    """What one person approved for another.

    :ivar clear_number: how often the run had been cleared when the answer came.
    :ivar nonce: random, so that two approvals never look alike.
    :ivar expires_at: until when the fence may begin; a cutover that has begun may finish later.
    :ivar signature: HMAC-SHA-256 in hex over all other fields.
    """

    group: str
    run_id: str
    plan_sha256: str
    recovery_point: str
    target: str
    clear_number: int = Field(default=0, ge=0)
    requested_by: str
    approved_by: str
    approved_at: AwareDatetime
    expires_at: AwareDatetime
    nonce: str
    signature: str = ""

    def signed(self, key: bytes) -> Self:
        """Return the approval with its signature."""
        return self.model_copy(update={"signature": self._mac(key)})

    def _mac(self, key: bytes) -> str:
        fields = self.model_dump(mode="json", exclude={"signature"})
        return hmac.new(key, json.dumps(fields, sort_keys=True).encode(), hashlib.sha256).hexdigest()

    def verify(self, key: bytes, *, run_id: str, plan_sha256: str, recovery_point: str) -> None:
        """Refuse an approval that is not for this run, plan and point, or whose signature is not ours.

        :raises ApprovalError: says which.
        """
        if not hmac.compare_digest(self.signature.encode(), self._mac(key).encode()):
            raise _refused("the approval's signature is not valid", self.run_id)
        if self.run_id != run_id:
            raise _refused(f"the approval is for run {self.run_id}, not for {run_id}", run_id)
        if self.plan_sha256 != plan_sha256:
            raise _refused("the plan changed after it was approved", run_id)
        if self.recovery_point != recovery_point:
            raise _refused(f"the approval is for point {self.recovery_point}, not for {recovery_point}", run_id)
        if same_person(self.requested_by, self.approved_by):
            raise _refused(f"{self.approved_by} approved their own request", run_id)

    def ensure_round(self, clear_number: int) -> None:
        """Refuse an approval that was given before the run was cleared.

        :raises ApprovalError: says so.
        """
        if self.clear_number != clear_number:
            raise ApprovalError(
                f"the run was cleared since it was approved (then {self.clear_number} times, now {clear_number})",
                where=f"run {self.run_id}",
                fix="Nothing was changed. Clear the approval task as well, and have it answered again.",
            )

    def ensure_fresh(self, now: datetime) -> None:
        """Refuse to begin with an approval that is too old.

        :raises ApprovalError: the approval has expired.
        """
        if now > self.expires_at:
            expired = self.expires_at.astimezone(UTC)
            raise _refused(f"the approval expired at {expired:%Y-%m-%d %H:%M:%S} UTC", self.run_id)


class ApprovalUse(FrozenModel):
    """The one use of an approval, written down before the role changes.

    :ivar clear_number: the round in which it was used.
    """

    nonce: str
    clear_number: int = Field(ge=0)
    used_at: AwareDatetime


def ensure_second_person(requested_by: str | None, answered_by: str | None, chosen: list[str], *, run_id: str) -> str:
    """Return who approved.

    Success is a closed list: exactly the answer ``Approve``, by a known person, for a known other person.

    :param answered_by: None when nobody answered and the default applied.
    :raises ApprovalError: in every other case.
    """
    requester, approver = (requested_by or "").strip(), (answered_by or "").strip()
    if not requester:
        raise _refused("it is not known who triggered the cutover", run_id)
    if not approver:
        raise _refused("nobody answered in time; silence is a refusal", run_id)
    if chosen != [APPROVE]:
        raise _refused(f"{approver} answered {', '.join(chosen) or 'nothing'}", run_id)
    if same_person(requester, approver):
        raise _refused(f"{approver} triggered the cutover and must not approve it", run_id)
    return approver


def same_person(one: str, other: str) -> bool:
    """Tell whether two account names are one person's.

    Case, surrounding blanks and the way in which Unicode spells a letter do not make two.
    """
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()


def _refused(what: str, run_id: str) -> ApprovalError:
    return ApprovalError(
        what, where=f"run {run_id}", fix="Nothing was changed; trigger the cutover again if it is still wanted."
    )
