"""Judges a pair of databases: both servers when both answer, or a recovery point and its target.

:raises DrError: a server that is needed cannot be asked.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from incorta_provider.dr.definers import ruled
from incorta_provider.dr.inventory import Inventory
from incorta_provider.metadata.client import PROGRAM_NAMES, Program
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.readiness.access_rules import rights_findings, tls_findings, tool_findings
from incorta_provider.metadata.readiness.facts import SchemaFacts, ServerFacts, ToolFacts
from incorta_provider.metadata.readiness.finding import Finding, sorted_by_severity
from incorta_provider.metadata.readiness.from_inventory import schema_of, server_of
from incorta_provider.metadata.readiness.reader import Asked, ask_server
from incorta_provider.metadata.readiness.schema_reader import ask_schema
from incorta_provider.metadata.readiness.schema_rules import schema_findings
from incorta_provider.metadata.readiness.server_rules import server_findings

_PROGRAMS: tuple[Program, ...] = ("dump", "sql")
_VERSION = re.compile(r"(\d+\.\d+\.\d+(?:-MariaDB)?)")
_ANSWER_SECONDS = 30


def pair_findings(
    source: Endpoint, target: Endpoint, now: datetime, definers: Mapping[str, str] | None = None
) -> list[Finding]:
    """Compare both servers, the source's schema and this worker; the worst finding comes first.

    :param now: aware, for the ends of certificates.
    :param definers: which account takes the place of which; see :mod:`incorta_provider.dr.definers`.
    """
    there = ask_server(source)
    if there.lacking:  # what an account may not see is hidden from it, so that the schema cannot be judged yet
        return sorted_by_severity([*_access(source, there, now), *_access(target, ask_server(target), now)])
    schema = _dumped(ask_schema(source), definers or {})
    here = ask_server(target, schema.zones)
    return sorted_by_severity(
        [
            *_access(source, there, now),
            *_access(target, here, now),
            *tool_findings(map(client_program, _PROGRAMS), (there.server, here.server)),
            *_judged(schema, there.server, here.server),
        ]
    )


def restore_findings(target: Endpoint, inventory: Inventory, now: datetime, *, source: str = "source") -> list[Finding]:
    """Judge whether a recovery point's metadata can be restored to a database now; the worst finding comes first.

    :param source: the site that the inventory is of; it may be gone.
    """
    schema = schema_of(inventory)
    here = ask_server(target, schema.zones)
    return sorted_by_severity(
        [
            *_access(target, here, now),
            *tool_findings(map(client_program, _PROGRAMS), (here.server,)),
            *_judged(schema, server_of(inventory, source), here.server),
        ]
    )


def client_program(program: Program) -> ToolFacts:
    """Return which release of a client program this worker has."""
    names = PROGRAM_NAMES[program]
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        return ToolFacts(" or ".join(names), "")
    said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False)
    found = _VERSION.findall(said.stdout)
    return ToolFacts(path, found[-1] if found else "0.0")


def _dumped(schema: SchemaFacts, rules: Mapping[str, str]) -> SchemaFacts:
    """Return a schema as a dump will have it: with the definers of the rules."""
    return replace(schema, definers={title: ruled(account, rules) for title, account in schema.definers.items()})


def _access(endpoint: Endpoint, asked: Asked, now: datetime) -> Iterator[Finding]:
    site = endpoint.site or endpoint.host
    yield from rights_findings(site, asked.account, asked.lacking)
    yield from tls_findings(asked.server, endpoint.host, now)


def _judged(schema: SchemaFacts, source: ServerFacts, target: ServerFacts) -> Iterator[Finding]:
    yield from server_findings(source, target)
    yield from schema_findings(schema, source, target)
