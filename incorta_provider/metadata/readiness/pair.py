"""Judges a pair of databases: both servers when both answer, or a recovery point and its target.

:raises DrError: a server that is needed cannot be asked.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from incorta_provider.dr.definers import is_invoker, ruled
from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.metadata_rules import EngineMapping, MetadataRules
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.client import find_program
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.engines.detection import engine_for
from incorta_provider.metadata.engines.engine import Program, Programs
from incorta_provider.metadata.readiness.access_rules import rights_findings, tls_findings, tool_findings
from incorta_provider.metadata.readiness.facts import SchemaFacts, ServerFacts, ToolFacts
from incorta_provider.metadata.readiness.finding import Finding, sorted_by_severity
from incorta_provider.metadata.readiness.from_inventory import schema_of, server_of
from incorta_provider.metadata.readiness.reader import Asked, ask_server
from incorta_provider.metadata.readiness.replica_rules import replica_findings
from incorta_provider.metadata.readiness.schema_reader import ask_schema
from incorta_provider.metadata.readiness.schema_rules import schema_findings
from incorta_provider.metadata.readiness.server_rules import server_findings

_PROGRAMS: tuple[Program, ...] = ("dump", "sql")
_VERSION = re.compile(r"(\d+\.\d+\.\d+(?:-MariaDB)?)")
_ANSWER_SECONDS = 30
_WITH_SECURITY = ("view", "procedure", "function")
"""Kinds of objects that may run with the rights of who uses them."""

_NO_RULES = MetadataRules()


def pair_findings(source: Endpoint, target: Endpoint, now: datetime, rules: MetadataRules = _NO_RULES) -> list[Finding]:
    """Compare both servers, the source's schema and this worker; the worst finding comes first.

    :param now: aware, for the ends of certificates.
    :param rules: the topology's; of these, which account takes the place of which, the mapping of engines, and whether
        the target is to be a replica.
    """
    there = ask_server(source)
    if there.lacking:  # what an account may not see is hidden from it, so that the schema cannot be judged yet
        return sorted_by_severity([*_access(source, there, now), *_access(target, ask_server(target), now)])
    schema = _dumped(ask_schema(source), rules.definers)
    here = ask_server(target, schema.zones)
    return sorted_by_severity(
        [
            *_access(source, there, now),
            *_access(target, here, now),
            *_tools(there.server, here.server),
            *_judged(schema, there.server, here.server, rules.mapping),
            *(replica_findings(schema, there.server, here.server) if rules.replica else ()),
        ]
    )


def restore_findings(
    target: Endpoint,
    inventory: Inventory,
    now: datetime,
    *,
    source: str = "source",
    mapping: EngineMapping | None = None,
) -> list[Finding]:
    """Judge whether a recovery point's metadata can be restored to a database now; the worst finding comes first.

    :param source: the site that the inventory is of; it may be gone.
    :param mapping: the topology's, for a server of another engine.
    """
    schema = schema_of(inventory)
    here = ask_server(target, schema.zones)
    return sorted_by_severity(
        [
            *_access(target, here, now),
            *_tools(here.server),
            *_judged(schema, server_of(inventory, source), here.server, mapping),
        ]
    )


def _tools(*servers: ServerFacts) -> Iterator[Finding]:
    """Yield what is wrong with the client programs of this worker; each engine wants its own."""
    for family in dict.fromkeys(server.family for server in servers):
        theirs = [server for server in servers if server.family == family]
        programs = engine_for(theirs[0].version).programs
        yield from tool_findings([_client_program(program, programs) for program in _PROGRAMS], theirs)


def _client_program(program: Program, programs: Programs) -> ToolFacts:
    """Return which release of a client program this worker has."""
    try:
        path = find_program(program, programs)
    except ConfigurationError:
        return ToolFacts(" or ".join(programs.names[program]), "", programs.package)
    said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False)
    found = _VERSION.findall(said.stdout)
    return ToolFacts(path, found[-1] if found else "0.0", programs.package)


def _dumped(schema: SchemaFacts, rules: Mapping[str, str]) -> SchemaFacts:
    """Return a schema as a dump will have it: with the definers of the rules."""
    found = {title: ruled(account, rules) for title, account in schema.definers.items()}
    made = {
        title
        for title, account in schema.definers.items()
        if is_invoker(account, rules) and title.partition(" ")[0] in _WITH_SECURITY
    }
    invokers = frozenset(title for title in schema.invokers | made if found[title][1])
    return replace(schema, definers=found, invokers=invokers)


def _access(endpoint: Endpoint, asked: Asked, now: datetime) -> Iterator[Finding]:
    site = endpoint.site or endpoint.host
    yield from rights_findings(site, asked.account, asked.lacking)
    yield from tls_findings(asked.server, endpoint.host, now)


def _judged(
    schema: SchemaFacts, source: ServerFacts, target: ServerFacts, mapping: EngineMapping | None
) -> Iterator[Finding]:
    yield from server_findings(source, target, mapped=mapping is not None)
    if mapping is not None and source.family != target.family:
        schema = _mapped(schema, mapping.collations)
    yield from schema_findings(schema, source, target)


def _mapped(schema: SchemaFacts, names: Mapping[str, str]) -> SchemaFacts:
    """Return a schema as a restore to another engine will make it: with the collations of the mapping."""
    collations: dict[str, tuple[str, ...]] = {}
    for name, places in schema.collations.items():
        wanted = names.get(name, name)
        collations[wanted] = (*collations.get(wanted, ()), *places)
    return replace(schema, collations=collations)
