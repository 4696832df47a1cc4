"""The release of Incorta that a site runs."""

from __future__ import annotations

from incorta_provider.exceptions import TransientError
from incorta_provider.steps.access import SiteAccess


def incorta_release(site: SiteAccess) -> str:
    """Return the release, from the first node that answers.

    :raises TransientError: no node answers; says what each said.
    """
    reasons = []
    for config in site.config.nodes:
        try:
            with site.node(config) as node:
                return node.version()
        except TransientError as error:
            reasons.append(f"{config.conn_id}: {error.what}")
    raise TransientError(
        "no node answers: " + "; ".join(reasons), where=f"site {site.name}", fix="Start a node's SSH server."
    )
