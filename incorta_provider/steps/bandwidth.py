"""The bandwidth limit that a person sets while copies run: they obey within a second or two, on every worker.

:raises PreconditionError: the catalog is not there.
"""

from __future__ import annotations

from incorta_provider.dr.sizes import shown_size
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.storage.flow.override import Override, read_override, set_override


def set_bandwidth(access: GroupAccess, site: SiteAccess, bytes_per_second: int | None, *, by: str) -> str:
    """Limit the copies to a site, whatever the topology says, and return in words what holds.

    :param bytes_per_second: None lifts every limit.
    """
    override = Override(bytes_per_second=bytes_per_second, by=by, at=access.clock())
    _note(access, site, override, by=by)
    set_override(site.catalog.root, override)
    return told_bandwidth(access, site)


def clear_bandwidth(access: GroupAccess, site: SiteAccess, *, by: str) -> str:
    """Let the topology's limit hold again, and return in words what holds."""
    _note(access, site, None, by=by)
    set_override(site.catalog.root, None)
    return told_bandwidth(access, site)


def told_bandwidth(access: GroupAccess, site: SiteAccess) -> str:
    """Return in words how fast copies to a site may be, and by whose word."""
    return override_in_words(site) or f"{_in_words(access.config.replication.bandwidth)}, by the topology"


def override_in_words(site: SiteAccess) -> str | None:
    """Return the limit that a person set, in words; None when there is none."""
    if (override := read_override(site.catalog.root)) is None:
        return None
    return f"{_in_words(override.bytes_per_second)}, set by {override.by} at {override.at:%Y-%m-%d %H:%M:%S} UTC"


def _in_words(rate: int | None) -> str:
    return "no bandwidth limit" if rate is None else f"at most {shown_size(rate)}/s"


def _note(access: GroupAccess, site: SiteAccess, override: Override | None, *, by: str) -> None:
    site.catalog.ensure_is(access.name, site.name)
    at, event = access.clock(), "bandwidth.cleared" if override is None else "bandwidth.set"
    site.ledger.append(
        event,
        at=at,
        key=f"{event}:{at.isoformat()}",
        group=access.name,
        run_id="",
        actor=by,
        details={} if override is None else {"bytes_per_second": override.bytes_per_second},
    )
