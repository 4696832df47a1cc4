"""Rules on two servers, whatever the schema holds. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from incorta_provider.metadata.readiness.facts import ServerFacts
from incorta_provider.metadata.readiness.finding import Finding, Severity, some

WRITE_SWITCHES = ("read_only", "super_read_only", "innodb_read_only")
"""Variables with which a server takes no more writes; the first has exceptions for some accounts."""

_BEHAVIOUR = {
    "sql_mode": "sessions of Incorta would take or refuse other statements; dump and restore set their own",
    "time_zone": "sessions of Incorta would see TIMESTAMPs in another local time; dump and restore use UTC",
    "system_time_zone": "a time zone of SYSTEM means another one there",
}
_GTID = ("gtid_mode", "enforce_gtid_consistency", "gtid_strict_mode")


def server_findings(source: ServerFacts, target: ServerFacts, *, mapped: bool = False) -> Iterator[Finding]:
    """Yield what differs between the servers, or stands in the way at one of them.

    :param mapped: the topology lets one make's metadata become the other's.
    """
    yield from _versions(source, target, mapped=mapped)
    yield from _readiness_of_target(target)
    yield from _source_log(source)
    yield from _variables(source, target)
    yield from _packet(source, target)
    yield from _gtid(source, target)
    yield from _plugins(source, target)


def _versions(source: ServerFacts, target: ServerFacts, *, mapped: bool) -> Iterator[Finding]:
    both = f"{source.version} at {source.site}, {target.version} at {target.site}"
    if source.family != target.family:
        reason = f"the servers are of different makes: {both}"
        if mapped:
            reason += "; metadata.mapping is set, and the proof names what has no exact counterpart"
            yield Finding(Severity.NOTE, "version", target.site, reason)
        else:
            fix = "Use the same make, or name metadata.mapping in the topology; docs/metadata-engines.md."
            yield Finding(Severity.BLOCKER, "version", target.site, reason, fix)
    elif target.release < source.release:
        fix = "Bring the DR server to the source's release; each proof shows whether this dump restores as it is."
        yield Finding(Severity.WARNING, "version", target.site, f"the DR server is older: {both}", fix)
    elif target.release > source.release:
        fix = "Plan the way home: a failback would go from the newer to the older release."
        yield Finding(Severity.WARNING, "version", target.site, f"the DR server is newer: {both}", fix)


def _readiness_of_target(target: ServerFacts) -> Iterator[Finding]:
    for variable in WRITE_SWITCHES:
        if not target.on(variable):
            continue
        fix = f"SET GLOBAL {variable} = OFF"
        if variable == "read_only" and target.writes_when_read_only:
            reason = "the server is read-only: our account may write anyway, Incorta's could not"
            yield Finding(Severity.WARNING, variable, target.site, reason, f"Before a cutover: {fix}")
        else:
            yield Finding(Severity.BLOCKER, variable, target.site, "the server is read-only", fix)


def _source_log(source: ServerFacts) -> Iterator[Finding]:
    if "log_bin" in source.variables and not source.on("log_bin"):
        reason = "the binary log is off: dump and inventory could not be shown to be one state"
        fix = "Set log_bin in the server's configuration and restart it."
        yield Finding(Severity.BLOCKER, "log_bin", source.site, reason, fix)


def _variables(source: ServerFacts, target: ServerFacts) -> Iterator[Finding]:
    for variable, meaning in _BEHAVIOUR.items():
        there, here = source.variables.get(variable), target.variables.get(variable)
        if there is None or here is None or there == here:
            continue
        if variable == "system_time_zone" and not _follows_system(source, target):
            continue
        reason = f"{there!r} at {source.site}, {here!r} at {target.site}: {meaning}"
        severity = Severity.WARNING if variable == "sql_mode" else Severity.NOTE
        fix = f"Set {variable} to {there!r} in the DR server's configuration." if severity is Severity.WARNING else ""
        yield Finding(severity, variable, target.site, reason, fix)


def _follows_system(*servers: ServerFacts) -> bool:
    return any(server.variables.get("time_zone") == "SYSTEM" for server in servers)


def _packet(source: ServerFacts, target: ServerFacts) -> Iterator[Finding]:
    there, here = source.number("max_allowed_packet"), target.number("max_allowed_packet")
    if there is not None and here is not None and here < there:
        reason = f"{here:,} bytes, and {there:,} at {source.site}: Incorta could write there what it cannot write here"
        fix = f"Set max_allowed_packet = {there} in the DR server's configuration."
        yield Finding(Severity.WARNING, "max_allowed_packet", target.site, reason, fix)


def _gtid(source: ServerFacts, target: ServerFacts) -> Iterator[Finding]:
    for variable in _GTID:
        there, here = source.variables.get(variable), target.variables.get(variable)
        if there is not None and here is not None and there != here:
            reason = (
                f"{there} at {source.site}, {here} at {target.site}: no matter for dump and restore, whose positions "
                "stand beside the data; replication between the servers would need one mode"
            )
            yield Finding(Severity.NOTE, variable, target.site, reason)


def _plugins(source: ServerFacts, target: ServerFacts) -> Iterator[Finding]:
    if source.plugins is None or target.plugins is None or source.family != target.family:
        return
    lacking = sorted(name for name in source.plugins if name not in target.plugins)
    if lacking:
        reason = f"only {source.site} has the plugins {some(lacking)}; what tables need of them is named apart"
        yield Finding(Severity.NOTE, "plugins", target.site, reason)
