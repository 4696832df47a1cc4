"""Rules on what a schema needs of the server that it is to be restored to. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from incorta_provider.metadata.readiness.facts import Places, SchemaFacts, ServerFacts
from incorta_provider.metadata.readiness.finding import Finding, Severity, some

CLIENT_PACKET = 1 << 30
"""The most that a client program, told ``--max-allowed-packet=1G``, and a server take as one statement."""

COPIES = 2
"""Of the schema at the DR server while a dump is proven: the live one and the scratch one."""

_PLUGIN_TYPES = ("inet4", "inet6", "uuid")
"""Data types that a plugin of MariaDB brings."""

_NEEDS_KEYS = ("innodb_force_primary_key", "sql_require_primary_key")


def schema_findings(schema: SchemaFacts, source: ServerFacts, target: ServerFacts) -> Iterator[Finding]:
    """Yield what the target lacks for the schema, and what at the source cannot be dumped."""
    yield from _unsafe(schema, source)
    yield from _lacking(schema, target)
    yield from _encryption(schema, target)
    yield from _keys(schema, target)
    yield from _names(schema, source, target)
    yield from _creators(schema, target)
    yield from _definers(schema, target)
    yield from _events(schema, target)
    yield from _largest_row(schema, source, target)
    yield from _disk(schema, target)


def _unsafe(schema: SchemaFacts, source: ServerFacts) -> Iterator[Finding]:
    for why, tables in schema.unsafe.items():
        reason = f"no consistent snapshot can be made of {some(tables)}: {why}"
        fix = "Convert each with ALTER TABLE … ENGINE=InnoDB, or move it out of the schema."
        yield Finding(Severity.BLOCKER, "storage engines", source.site, reason, fix)


def _lacking(schema: SchemaFacts, target: ServerFacts) -> Iterator[Finding]:
    plugins = None if target.plugins is None else target.plugins.keys()
    needs: tuple[tuple[str, Places, Collection[str] | None, str], ...] = (
        ("storage engine", schema.engines, target.engines, "Switch it on at the DR server."),
        ("character set", schema.character_sets, target.character_sets, "Convert what uses it, or change the server."),
        (
            "collation",
            schema.collations,
            target.collations,
            "Convert what uses it, or bring the DR server's release up.",
        ),
        ("data type", _plugin_types(schema.types), plugins, "Install its plugin at the DR server."),
        ("full-text parser", schema.parsers, plugins, "Install its plugin at the DR server."),
    )
    for subject, used, there, fix in needs:
        if there is None:
            continue
        for name, places in used.items():
            if name not in there:
                reason = f"the DR server has no {subject} {name}, used by {some(places)}"
                yield Finding(Severity.BLOCKER, f"{subject}s", target.site, reason, fix)


def _plugin_types(types: Places) -> Places:
    return {name: places for name, places in types.items() if name in _PLUGIN_TYPES}


def _encryption(schema: SchemaFacts, target: ServerFacts) -> Iterator[Finding]:
    """MySQL's keys may come from a component, which is not a plugin: only MariaDB is judged."""
    if target.family != "MariaDB" or target.plugins is None or "encryption" in target.plugins.values():
        return
    if schema.encrypted:
        reason = f"the DR server has no plugin for keys, and {some(schema.encrypted)} are encrypted"
        fix = "Install a key management plugin, such as file_key_management, at the DR server."
        yield Finding(Severity.BLOCKER, "encryption", target.site, reason, fix)


def _keys(schema: SchemaFacts, target: ServerFacts) -> Iterator[Finding]:
    for variable in _NEEDS_KEYS:
        if schema.without_key and target.on(variable):
            reason = f"the DR server takes no table without a primary key, and {some(schema.without_key)} have none"
            yield Finding(Severity.BLOCKER, variable, target.site, reason, f"SET GLOBAL {variable} = OFF")


def _names(schema: SchemaFacts, source: ServerFacts, target: ServerFacts) -> Iterator[Finding]:
    there, here = source.number("lower_case_table_names"), target.number("lower_case_table_names")
    if there is None or here is None or there == here:
        return
    reason = f"{there} at {source.site}, {here} at {target.site}"
    fix = "It can be set only when a data folder is made: set up the DR server again with the source's value."
    if here == 1 and schema.folded:
        reason += f": the DR server would change the names of {some(schema.folded)}"
        yield Finding(Severity.BLOCKER, "lower_case_table_names", target.site, reason, fix)
    elif here == 0:
        reason += ": statements that write a name in other letters work there and fail here"
        yield Finding(Severity.BLOCKER, "lower_case_table_names", target.site, reason, fix)
    else:
        yield Finding(Severity.WARNING, "lower_case_table_names", target.site, reason, fix)


def _creators(schema: SchemaFacts, target: ServerFacts) -> Iterator[Finding]:
    """With a binary log, a server takes functions and triggers only from trusted accounts (error 1419)."""
    variable = "log_bin_trust_function_creators"
    if schema.creations and target.on("log_bin") and variable in target.variables and not target.on(variable):
        reason = f"it is off: {schema.creations} functions and triggers would be refused"
        yield Finding(Severity.BLOCKER, variable, target.site, reason, f"SET GLOBAL {variable} = ON")


def _definers(schema: SchemaFacts, target: ServerFacts) -> Iterator[Finding]:
    if target.accounts is None:
        return
    lacking: dict[tuple[str, str], list[str]] = {}
    for title, account in schema.definers.items():
        if account not in target.accounts and not (title in schema.invokers and target.family == "MariaDB"):
            lacking.setdefault(account, []).append(title)
    for (user, host), titles in lacking.items():
        name = f"'{user}'@'{host}'" if host else f"'{user}'"
        reason = f"there is no account {name}, the definer of {some(titles)}: each would fail when it is used"
        make = f"CREATE USER {name} ACCOUNT LOCK" if host else f"CREATE ROLE {name}"
        fix = f"{make}, with the rights that it has at the source."
        yield Finding(Severity.BLOCKER, "definers", target.site, reason, fix)


def _events(schema: SchemaFacts, target: ServerFacts) -> Iterator[Finding]:
    unknown = sorted(zone for zone in schema.zones if zone not in target.zones)
    if unknown:
        reason = f"events were made in time zones that the DR server does not know: {some(unknown)}"
        yield Finding(Severity.BLOCKER, "time zones", target.site, reason, "Load them with mysql_tzinfo_to_sql.")
    scheduler = target.variables.get("event_scheduler")
    if schema.events and scheduler is not None and scheduler.upper() != "ON":
        reason = f"it is {scheduler}: after a promotion {some(schema.events)} would not run"
        fix = "Set event_scheduler = ON in the DR server's configuration; events stay off until the promotion."
        yield Finding(Severity.WARNING, "event_scheduler", target.site, reason, fix)


def _largest_row(schema: SchemaFacts, source: ServerFacts, target: ServerFacts) -> Iterator[Finding]:
    if schema.largest_row is None:
        return
    size, table = schema.largest_row
    limit = target.number("max_allowed_packet")
    if size > CLIENT_PACKET:
        reason = f"a row of {table} takes up to {size:,} bytes as SQL text; one statement has {CLIENT_PACKET:,} at most"
        yield Finding(Severity.BLOCKER, "largest row", source.site, reason, "Split its value, or remove it.")
    elif limit is not None and size > limit:
        reason = f"a row of {table} takes up to {size:,} bytes as SQL text, and max_allowed_packet is {limit:,}"
        fix = f"SET GLOBAL max_allowed_packet = {_rounded(size)}, and the same in the DR server's configuration."
        yield Finding(Severity.BLOCKER, "max_allowed_packet", target.site, reason, fix)


def _rounded(size: int) -> int:
    """Return the next multiple of 16 MiB that holds a statement of this size, within what a server takes."""
    step = 1 << 24
    return min(CLIENT_PACKET, (size // step + 1) * step)


def _disk(schema: SchemaFacts, target: ServerFacts) -> Iterator[Finding]:
    if schema.bytes is None:
        return
    needed = COPIES * schema.bytes
    if target.free_bytes is None:
        reason = (
            f"the server does not tell how much is free; a proof and a restore take up to {needed:,} bytes "
            f"in {target.variables.get('datadir', 'its data folder')}"
        )
        fix = "Look there; or install MariaDB's plugin DISKS and grant FILE, and the server tells."
        yield Finding(Severity.NOTE, "free disk", target.site, reason, fix)
    elif target.free_bytes < needed:
        reason = f"{target.free_bytes:,} bytes are free; a proof and a restore take up to {needed:,}"
        yield Finding(Severity.BLOCKER, "free disk", target.site, reason, "Make room at the DR server.")
