"""The page with what each pair of engines keeps, filled by the run that looked."""

from __future__ import annotations

import textwrap
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "metadata-engines.md"

_FOOT = """
## From one engine to the other

Without this in the topology, a restore to another engine is refused; an empty mapping (`{}`) allows it as far as both
mean the same:

    metadata:
      mapping:
        collations: {utf8mb4_0900_ai_ci: utf8mb4_unicode_520_ci}

A collation that the target has under the same name needs no entry. Another one may sort and compare in another way, and
a unique key may then find two values equal: which will do is for a person to say. Checks keep what they say, but not
their names.

## What a MySQL needs

MySQL's own `mysqldump` and `mysql` on each worker, of the server's release or a later one; programs of MariaDB under
these names are passed over. Binary logging, with `gtid_mode=ON` where a dump must not take a lock: otherwise the
server is held still by `FLUSH TABLES WITH READ LOCK` for the milliseconds that the snapshots take. The account lacks
a right? The message has the `GRANT` statement. To make functions and triggers, `log_bin_trust_function_creators` has
to be on at both servers.
"""

_HEAD = """# What each pair of engines keeps

Written by `make test-mysql`, which makes one object of each kind, dumps the schema, restores it into a scratch schema
at the other server and compares everything: definition, number of rows, and a checksum of the rows that the servers
compute.

- **equal**: the same definition and the same rows.
- **mapped**: as the topology's `metadata.mapping` says, or JSON, which is text with a check on MariaDB; the same rows.
- **refused**: nothing of the schema is restored, and the message names the object and why.
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
    return "\n".join([_HEAD, textwrap.fill(f"The servers were {versions}.", 120), "", *lines, _FOOT])
