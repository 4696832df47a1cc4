"""A worker that is going to be killed: copies from a source into a target, over SSH at one end at least.

Arguments, as JSON: ``source`` and ``target`` are URLs, ``catalog`` a path, ``connections`` the fields of each one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from incorta_provider.connection import from_document
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.transfer import copy_delta
from incorta_provider.storage.ssh import batches
from incorta_provider.storage.url import open_target, open_tree


def main() -> None:
    """Do one pass."""
    batches.PACKED_BYTES = 0  # rsync is to be at work
    order = json.loads(sys.argv[1])
    catalog = Catalog(Path(order["catalog"]))

    def connections(conn_id):
        return from_document(conn_id, order["connections"][conn_id])

    source = open_tree(order["source"], connections)
    target = open_target(order["target"], catalog, connections)
    print("begins", flush=True)
    copy_delta(source, target, None, catalog.workspace("a run"), final=False)
    print("ends", flush=True)


if __name__ == "__main__":
    main()
