"""Links from a task in the UI to what it made."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink, BaseXCom
from airflow.sdk.execution_time.xcom import XCom

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

PAGE = "/incorta-dr"
"""Where the plugin's pages are mounted; see :mod:`incorta_provider.plugin.recovery_points`."""


class RecoveryPointLink(BaseOperatorLink):
    """From the task that sealed a recovery point to the page that shows it."""

    name = "Recovery point"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the page's address; empty when the task sealed nothing."""
        facts = XCom.get_value(ti_key=ti_key, key=BaseXCom.XCOM_RETURN_KEY) or {}
        if "recovery_point" not in facts:
            return ""
        group, site, point = (quote(facts[name], safe="") for name in ("group", "site", "recovery_point"))
        return f"{PAGE}/groups/{group}/sites/{site}/points/{point}"


class CutoverReportLink(BaseOperatorLink):
    """From the task that ended a cutover to its report."""

    name = "Cutover report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the page's address; empty when there is no report yet."""
        facts = XCom.get_value(ti_key=ti_key, key=BaseXCom.XCOM_RETURN_KEY) or {}
        if "report" not in facts:
            return ""
        return cutover_page(facts["group"], facts["site"], facts["run_id"])


def cutover_page(group: str, site: str, run_id: str) -> str:
    """Return the address of the report of a cutover."""
    return "/".join([PAGE, *(quote(part, safe="") for part in ("groups", group, "sites", site, "cutovers", run_id))])
