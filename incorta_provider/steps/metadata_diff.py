"""Say how a site's metadata differ: from a recovery point, or from another site as it is now.

Nothing is changed, except that a point is restored into a scratch schema at the site for as long as it takes.

:raises IntegrityError: the point is damaged, or cannot be restored.
:raises TransientError: another run compares with the same point.
"""

from __future__ import annotations

from incorta_provider.dr.inventory import Difference
from incorta_provider.dr.metadata_rules import EngineMapping
from incorta_provider.metadata.carry import carried
from incorta_provider.metadata.comparison import compare_schemas
from incorta_provider.metadata.prove import restored_apart
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.point import ensure_point_whole, point_inventory


def diff_with_point(
    site: SiteAccess, point_id: str | None, mapping: EngineMapping | None = None
) -> tuple[str, list[Difference]]:
    """Return the point's id and every difference from it.

    :param point_id: of a point in the site's catalog; None for the newest.
    :param mapping: the topology's, for a point of another engine.
    """
    catalog = site.catalog
    point = catalog.get(point_id)
    ensure_point_whole(catalog, point)
    inventory = carried(site.database, point_inventory(catalog, point), mapping)
    dump = catalog.dump_path(point.id)
    with restored_apart(site.database, dump, inventory, scratch_key=f"diff_{point.id}") as scratch:
        return point.id, compare_schemas(scratch, site.database)


def diff_with_site(site: SiteAccess, other: SiteAccess) -> list[Difference]:
    """Return every difference from the other site, whose metadata are what is expected."""
    return compare_schemas(other.database, site.database)
