"""The copies that are under way to a site, for people to read: how far each is, where it runs, what limits it."""

from __future__ import annotations

from collections.abc import Iterator

from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.bandwidth import override_in_words
from incorta_provider.storage.flow.record import ProgressRecord, read_records


def copy_lines(site: SiteAccess) -> Iterator[str]:
    """Yield a line for each copy that has lasted more than a moment, and one for a limit that a person set."""
    for workspace in site.catalog.workspaces():
        for record in read_records(workspace.root):
            yield _in_words(record)
    if (limit := override_in_words(site)) is not None:
        yield f"bandwidth: {limit}"


def _in_words(record: ProgressRecord) -> str:
    what = "copy" if record.shard is None else f"shard {record.shard}"
    return f"{what} on {record.host}, as of {record.at:%H:%M:%S} UTC: {record.text}"
