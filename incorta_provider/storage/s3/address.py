"""From an ``s3://`` URL of a topology to the bucket behind it.

:raises ConfigurationError: the URL or its connection cannot be used.
"""

from __future__ import annotations

from collections.abc import Sequence

from incorta_provider.connection import Connections
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.s3.access import Access
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.s3.foldered import FolderedTree
from incorta_provider.storage.s3.lock import ObjectLock
from incorta_provider.storage.s3.place import parse_place
from incorta_provider.storage.s3.session import facts_of, open_access
from incorta_provider.storage.s3.target import S3Target

_known: dict[tuple[str, ...], Access] = {}


def open_s3_tree(url: str, connections: Connections, exclude: Sequence[str] = ()) -> FolderedTree:
    """Return the bucket as a source; :func:`incorta_provider.storage.routes.suited` shows it to another bucket."""
    return FolderedTree(open_bucket(url, connections), exclude)


def open_s3_target(url: str, catalog: Catalog, connections: Connections, lock: ObjectLock | None = None) -> S3Target:
    """Return the bucket as a target."""
    return S3Target(open_bucket(url, connections), catalog, lock)


def open_bucket(url: str, connections: Connections) -> Bucket:
    """Return a bucket; of the server only the keys of a role are asked.

    What a connection gives is kept for the life of the process, for to read it costs a tenth of a second and more;
    keys that expire are renewed by the bucket.
    """
    place = parse_place(url)
    info = connections(place.conn_id)
    key = (*facts_of(info), place.bucket)
    if key not in _known:
        _known[key] = open_access(info, place.bucket)
    return Bucket(place, _known[key])
