"""What there is to know about a site's metadata: schemas that restores keep, and the replica. For people to read."""

from __future__ import annotations

from collections.abc import Iterator

from incorta_provider.dr.schema_switch import Stage
from incorta_provider.metadata.switch_journal import read_switch
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.metadata_replica import active_site, replica_report
from incorta_provider.storage.records.cutover_folder import CutoverFolder

_ENDED = (Stage.RETURNED, Stage.COMMITTED)


def metadata_lines(access: GroupAccess, site: SiteAccess) -> Iterator[str]:
    """Yield what there is to know, a line each; nothing when nothing is kept and there is no replica.

    :raises DrError: a record cannot be read, or a server cannot be asked.
    """
    yield from _kept(access, site)
    if access.config.metadata.replica is not None:
        yield from _replica(access, site)


def _kept(access: GroupAccess, site: SiteAccess) -> Iterator[str]:
    """Yield each schema that a restore keeps beside the live one, and what lets it go."""
    for folder, plan in CutoverFolder.all(site.catalog.root):
        switch = read_switch(folder.schema_switch)
        if switch is None or switch.stage in _ENDED:
            continue
        command = f"--group {access.name} --run {plan.run_id}"
        if switch.stage is Stage.SWITCHED:
            yield f"schema {switch.previous} keeps what was live before; `incorta-dr cutover commit {command}` drops it"
        else:
            yield (
                f"a restore is {switch.stage}, with the schemas {switch.next} and {switch.previous}: clear its task, "
                f"or `incorta-dr cutover abort {command}`"
            )


def _replica(access: GroupAccess, site: SiteAccess) -> Iterator[str]:
    source = active_site(access, site)
    if source.name == site.name:
        return
    report = replica_report(access, site, source)
    yield from (f"replica: {fact}" for fact in report.facts)
    yield from (f"replica PROBLEM: {problem}" for problem in report.problems)
