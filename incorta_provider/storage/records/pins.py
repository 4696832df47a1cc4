"""Recovery points that a person, or the change breaker, wants kept: one small file a pin, in the catalog.

:raises PreconditionError: there is no such point, or the catalog is not there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from pydantic import AwareDatetime

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.exceptions import TransientError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.point_files import PointFiles

_PATIENCE_SECONDS = 30.0
_NAP_SECONDS = 0.02


class Pin(FrozenModel):
    """One pinned point."""

    point: str
    reason: str
    by: str
    at: AwareDatetime


class Pins:
    """The pins of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._files = PointFiles(catalog, "pins", Pin)

    def pin(self, point_id: str, *, reason: str, by: str, at: datetime) -> Pin:
        """Pin a point and return the pin; a pin that it has already stays as it is."""
        with self.held():
            point = self._catalog.get(point_id)
            if (known := self.of(point.id)) is not None:
                return known
            pin = Pin(point=point.id, reason=reason, by=by, at=at)
            self._files.save(point.id, pin)
            return pin

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nobody pin a point while a block runs that drops one: a pin that was confirmed always holds.

        :raises TransientError: somebody else holds them for longer than such a thing takes.
        """
        with ExitStack() as stack:
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while not self._is_taken(stack, deadline):
                time.sleep(_NAP_SECONDS)
            yield

    def _is_taken(self, stack: ExitStack, deadline: float) -> bool:
        try:
            stack.enter_context(self._catalog.lock("pins"))
        except TransientError:
            if time.monotonic() >= deadline:
                raise
            return False
        return True

    def unpin(self, point_id: str) -> Pin | None:
        """Remove a pin and return it; None when there was none."""
        if (known := self.of(point_id)) is not None:
            self._files.remove(point_id)
        return known

    def of(self, point_id: str) -> Pin | None:
        """Return the pin of a point."""
        return self._files.of(point_id)

    def all(self) -> list[Pin]:
        """Return every pin, in the order of the points."""
        found = map(self._files.of, self._files.known())
        return [pin for pin in found if pin is not None]
