"""The operator that looks for an old primary that came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from incorta_provider.operators.base import DrOperator
from incorta_provider.steps.watch import watch

if TYPE_CHECKING:
    from airflow.sdk import Context


class FenceReturnedSiteOperator(DrOperator):
    """Fence a site that gave its role up while it could not be reached; skipped when there is nothing to fence."""

    default_retries = 0

    def work(self, context: Context) -> dict[str, Any]:
        """Fence what can be reached now, and return what that was, by site."""
        reached = watch(self.access(), by=f"dag {self.dag_id}")
        for site, facts in reached.items():
            self.log.warning("%s came back: fenced %s, not yet %s", site, facts["stopped"], facts["not_reached"])
        return {site: {"stopped": facts["stopped"], "unfenced": facts["unfenced"]} for site, facts in reached.items()}
