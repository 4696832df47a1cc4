"""Wait for a part of the place for drills at a site."""

from __future__ import annotations

from incorta_provider.operators.base import dr_access
from incorta_provider.sensors.site_ready import SiteReadySensor
from incorta_provider.steps.access import SiteAccess


class DrillReadySensor(SiteReadySensor):
    """Wait until a part of what a drill starts at ``target`` is really ready; see :class:`SiteReadySensor`."""

    def site(self) -> SiteAccess:
        """Return the place for drills at the site."""
        return dr_access(self.group).drill(self.target)
