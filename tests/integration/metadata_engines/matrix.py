"""The page with what each pair of engines keeps, filled by the run that looked."""

from __future__ import annotations

import textwrap
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "metadata-engines.md"

_HEAD = """# What each pair of engines keeps

Written by `make test-mysql`, which makes one object of each kind, dumps the schema, restores it into a scratch schema
at the other server and compares everything: definition, number of rows, and a checksum of the rows that the servers
compute.

- **equal**: the same definition and the same rows.
- **refused**: nothing is restored, and the message says why.
- none: the source has no such thing.

Refused at the dump, whatever the pair: tables of another storage engine than InnoDB, sequences, tables with history.
"""


def page(servers: dict[str, str], rows: list[tuple[str, str]], cells: dict[tuple[str, str], dict[str, str]]) -> str:
    """Return the page.

    :param servers: version by engine.
    :param rows: kind and title of each feature.
    :param cells: by source and target engine, what became of each feature by its title.
    """
    versions = " and ".join(f"{name} {version}" for name, version in sorted(servers.items()))
    heads = [f"{source} → {target}" for source, target in cells]
    lines = [f"| kind | what | {' | '.join(heads)} |", "|" + "---|" * (2 + len(heads))]
    lines += [f"| {kind} | {title} | {' | '.join(cells[pair][title] for pair in cells)} |" for kind, title in rows]
    return "\n".join([_HEAD, textwrap.fill(f"The servers were {versions}.", 120), "", *lines]) + "\n"
