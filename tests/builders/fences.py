"""Metadata databases that only know whether they are fenced."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from incorta_provider.dr.fence_mark import FenceMark
from incorta_provider.exceptions import TransientError
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.fencing import Fenced
from incorta_provider.steps.access import GroupAccess
from tests.builders.group import Bench

REPORTED = {"accounts": ["incorta@%"], "administrators": ["root@localhost"], "events": [], "read_only": "on"}


@dataclass
class Databases:
    """The databases of both sites.

    :ivar down: sites whose database does not answer.
    :ivar opened: sites that were opened, and whether with their events.
    """

    down: set[str] = field(default_factory=set)
    marks: dict[str, FenceMark] = field(default_factory=dict)
    opened: list[tuple[str, bool]] = field(default_factory=list)

    def mark(self, endpoint: Endpoint) -> FenceMark | None:
        self._ask(endpoint)
        return self.marks.get(endpoint.site)

    def fence(self, endpoint: Endpoint, mark: FenceMark, *, login: str) -> Fenced:
        self._ask(endpoint)
        assert login == "incorta"
        self.marks.setdefault(endpoint.site, mark)
        return Fenced(accounts=["incorta@%"], administrators=["root@localhost"], events=[], read_only="on")

    def unfence(self, endpoint: Endpoint, *, events: bool) -> FenceMark | None:
        self._ask(endpoint)
        if (mark := self.marks.pop(endpoint.site, None)) is not None:
            self.opened.append((endpoint.site, events))
        return mark

    def _ask(self, endpoint: Endpoint) -> None:
        if endpoint.site in self.down:
            raise TransientError("the database cannot be used now", where=endpoint.label, fix="Try again.")


def lend_databases(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> tuple[Bench, Databases]:
    """Return the group with an account that fences at each site, and the databases that it fences."""
    made = Databases()
    for name, function in (
        ("fence_mark", made.mark),
        ("fence_schema", made.fence),
        ("unfence_schema", made.unfence),
    ):
        monkeypatch.setattr(f"incorta_provider.steps.fencing.{name}", function)
    config = bench.access.config
    sites = {
        name: site.model_copy(
            update={"metadata": site.metadata.model_copy(update={"fence_conn_id": f"{name}_metadata_fence"})}
        )
        for name, site in config.sites.items()
    }
    access = GroupAccess("acme", config.model_copy(update={"sites": sites}), bench.access.connections, bench.clock)
    bench.access = access
    return bench, made
