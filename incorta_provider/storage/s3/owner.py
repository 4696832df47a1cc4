"""Whose replica a prefix is: an object beside it, so that a second catalog does not delete the keys of the first.

It is not below the prefix, where services would find it among their files; only a whole bucket has no place beside it,
and there no listing of ours shows it. A prefix that has none is taken by the first run that looks.

A replica inside of another one would be taken for files of that one, and deleted as such. So the marks of what a prefix
lies in are asked for too, and who takes a prefix looks for marks inside of it.

:raises DrError: of every call, see :mod:`incorta_provider.storage.s3.faults`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
from pathlib import Path
from typing import Any

from incorta_provider.dr.manifest import shown
from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.faults import translated
from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.records.json_file import read_json, write_json
from incorta_provider.storage.s3.answers import ensure_object, missed
from incorta_provider.storage.s3.body_md5 import md5_of
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.listing import pages
from incorta_provider.storage.s3.objects import put
from incorta_provider.storage.tree import Missed

log = logging.getLogger(__name__)


class Owner:
    """The mark of one prefix, held against one catalog."""

    def __init__(self, bucket: Bucket, catalog: Catalog) -> None:
        self._bucket = bucket
        self._catalog = catalog

    def claim(self) -> None:
        """Mark the prefix as this catalog's, unless it is marked.

        :raises PreconditionError: it is another catalog's, lies inside of another one's, or holds one; nothing was
            changed.
        """
        if not self._is_marked():
            self._mark(self._own())
        else:
            self._ensure_not_inside()

    def take(self) -> None:
        """Mark the prefix as this catalog's, also where another one of the same group and site had it.

        A person does it who makes a catalog anew.

        :raises PreconditionError: it is another group's or site's, lies inside of another catalog's, or holds one;
            nothing was changed.
        """
        found, own = self._found(self._bucket.place.mark), self._own()
        if found is not None and _whose(found) != _whose(own):
            raise self._foreign(found, self._bucket.place.mark)
        if found is not None and found != own:
            log.warning("%s belonged to another catalog of %s until now", self._bucket.label, _whose(own))
        if found != own:
            self._mark(own)

    def ensure_not_foreign(self) -> None:
        """Refuse a prefix that is marked as another catalog's; one that is not marked is fine.

        :raises PreconditionError: says whose it is.
        """
        self._is_marked()

    def ensure_apart(self) -> None:
        """Refuse a prefix that is marked as another catalog's, or lies inside of one that is.

        :raises PreconditionError: says whose it is.
        """
        self._is_marked()
        self._ensure_not_inside()

    def _is_marked(self) -> bool:
        found = self._found(key := self._bucket.place.mark)
        if found is not None and found != self._own():
            raise self._foreign(found, key)
        return found is not None

    def _ensure_not_inside(self) -> None:
        """Refuse a prefix inside of another catalog's; an account may have no right outside of its own prefix."""
        for key in self._bucket.place.marks_around:
            try:
                found = self._found(key)
            except ConfigurationError as error:
                log.info("whether this lies inside of another replica was not asked: %s", error)
                continue
            if found is not None and found != self._own():
                raise self._foreign(found, key)

    def _ensure_none_inside(self) -> None:
        """Look through the prefix once, before it is taken."""
        for page in pages(self._bucket):
            alive()
            for key in (one.key for one in page if self._bucket.place.is_mark_inside(one.key)):
                if (found := self._found(key)) not in (None, self._own()):
                    raise self._foreign(found or {}, key)

    def _found(self, key: bytes) -> dict[str, Any] | None:
        answer = self._bucket.send(Request("GET", key))
        if answer.code and missed(self._bucket, key, answer) is Missed.VANISHED:
            return None
        ensure_object(self._bucket, key, answer)
        try:
            return dict(json.loads(answer.body))
        except (ValueError, TypeError):
            raise IntegrityError(
                "the object that says whose replica this is cannot be read",
                where=self._label(key),
                fix="Delete it if you know whose replica this is; the next run of that one marks it anew.",
            ) from None

    def _mark(self, own: dict[str, Any]) -> None:
        self._ensure_not_inside()
        self._ensure_none_inside()
        body = json.dumps(own).encode()
        put(self._bucket, self._bucket.place.mark, body, md5_of(body), hashlib.sha256(body).digest(), {})
        log.info("%s is marked as the replica of %s", self._bucket.label, _whose(own))

    def _own(self) -> dict[str, Any]:
        """Return the mark of this catalog: group, site, and an id that no other catalog has."""
        own = self._catalog.ensure_there()
        place = self._catalog.root / "catalog-id.json"
        with translated(str(place)):
            return {**own, "catalog": read_json(place) or _made(place)}

    def _foreign(self, found: dict[str, Any], key: bytes) -> PreconditionError:
        own, place = self._own(), self._bucket.place
        whose = f"the replica of {_whose(found)}, not of {_whose(own)}"
        if _whose(found) == _whose(own):
            whose = f"the replica of another catalog of {_whose(own)} than {self._catalog.root}"
        where = "around" if key in place.marks_around else "inside of"
        return PreconditionError(
            f"this is {whose}" if key == place.mark else f"{where} this is {whose}",
            where=self._bucket.label,
            fix="Nothing was changed. Correct storage or catalog in the topology, or what is mounted there. Where this "
            f"one takes the place of one that is given up for good, delete the object {self._label(key)}.",
        )

    def _label(self, key: bytes) -> str:
        place = self._bucket.place
        return f"s3://{place.conn_id}@{place.bucket}/{shown(key)}"


def _whose(mark: dict[str, Any]) -> str:
    return f"{mark.get('group')} at {mark.get('site')}"


def _made(place: Path) -> str:
    """Write an id down that stays; of two that are made at once the first counts."""
    draft = place.with_name(f".{place.name}.{uuid.uuid4().hex}.tmp")
    write_json(draft, uuid.uuid4().hex)
    try:
        os.link(draft, place)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return str(read_json(place))
