"""Operators that keep a replica's site in order: retention, and the compare of the live replica with its point."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from incorta_provider.exceptions import IntegrityError
from incorta_provider.operators.base import DrOperator, requester_of, run_of
from incorta_provider.steps.prune import look, prune
from incorta_provider.steps.roles import ensure_replica
from incorta_provider.steps.verify_replica import verify

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context

    from incorta_provider.steps.access import GroupAccess, SiteAccess


class MaintenanceOperator(DrOperator):
    """Base of the operators that look after one site.

    :param site: the site whose catalog and replica it is about (templated).
    """

    template_fields: Collection[str] = ("group", "site")

    def __init__(self, *, site: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.site = site

    def work(self, context: Context) -> Any:
        """Do the work, in the name of who triggered the run, or of the DAG; skipped at the active site."""
        access = self.access()
        site = access.site(self.site)
        ensure_replica(access, site)
        return self.take(access, site, by=requester_of(context) or f"dag {self.dag_id}", run_id=run_of(context))

    @abstractmethod
    def take(self, access: GroupAccess, site: SiteAccess, *, by: str, run_id: str) -> Any:
        """Take the step and return what goes to XCom."""


class PruneRecoveryPointsOperator(MaintenanceOperator):
    """Drop the recovery points that the group's retention does not keep; each is a line in the ledger.

    Where the topology has no retention for the group, it only reports what the defaults would drop.
    """

    def take(self, access: GroupAccess, site: SiteAccess, *, by: str, run_id: str) -> dict[str, Any]:
        """Prune and return the numbers."""
        if access.config.retention is None:
            self.log.info("the topology has no retention for %s: this is what the defaults would do", access.name)
            report = look(access, site)
        else:
            report = prune(access, site, by=by, run_id=run_id)
        for line in report.lines():
            self.log.info("%s", line)
        return {
            "dropped": [verdict.point_id for verdict in report.dropped],
            "kept": len(report.verdicts) - len(report.dropped),
            "damaged": list(report.damaged),
            "files": report.files,
            "bytes": report.size,
            "done": report.done,
        }


class VerifyReplicaOperator(MaintenanceOperator):
    """Compare the live replica with the point that it is; fails when it differs and was not repaired.

    How much is read, and whether it is repaired, stands in the topology: ``verify.sample_days`` and ``verify.repair``.
    """

    def take(self, access: GroupAccess, site: SiteAccess, *, by: str, run_id: str) -> dict[str, Any]:
        """Compare and return the outcome."""
        rules = access.config.verify
        outcome = verify(access, site, by=by, run_id=run_id, sample_days=rules.sample_days, repair=rules.repair)
        if outcome.left.total:
            raise IntegrityError(
                f"the live replica {outcome.in_words()}\n  " + "\n  ".join(outcome.left.names),
                where=f"site {site.name}",
                fix="Find out what writes there; this brings the replica back: "
                f"`incorta-dr verify --group {access.name} --site {site.name} --repair`",
            )
        return {
            "point": outcome.point,
            "files": outcome.files,
            "read_files": outcome.read_files,
            "repaired": outcome.found.total if outcome.repaired else 0,
        }
