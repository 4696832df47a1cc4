"""Wait for a part of a site, by the names that the topology gives."""

from __future__ import annotations

from typing import Any

from incorta_provider.operators.base import airflow_errors, dr_access
from incorta_provider.sensors.readiness import ReadinessSensor
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.readiness import Part, not_ready
from incorta_provider.steps.site_services import log_tails


class SiteReadySensor(ReadinessSensor):
    """Wait until a part of a site is really ready.

    :param group: the protection group (templated).
    :param target: the site (templated).
    :param part: ``zookeeper``, ``nodes``, ``cmc``, ``loader`` or ``analytics``.
    """

    template_fields = ("group", "target")

    def __init__(self, *, group: str, target: str, part: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.group = group
        self.target = target
        self.part = Part(part)

    def site(self) -> SiteAccess:
        """Return whose part it is."""
        return dr_access(self.group).site(self.target)

    def details(self) -> str:
        """Return the ends of the logs of what did not start."""
        with airflow_errors():
            return log_tails(self.site(), self.part)

    def reason(self) -> str | None:
        """Look at the part."""
        return not_ready(self.site(), self.part)
