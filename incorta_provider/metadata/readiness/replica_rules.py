"""Rules on two servers of which one is to be a replica of the other. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from incorta_provider.metadata.engines.detection import engine_for
from incorta_provider.metadata.readiness.facts import SchemaFacts, ServerFacts
from incorta_provider.metadata.readiness.finding import Finding, Severity, some

SUBJECT = "replica"
_SHORT_LOG = 86_400


def replica_findings(schema: SchemaFacts, source: ServerFacts, target: ServerFacts) -> Iterator[Finding]:
    """Yield what keeps the target from being a replica that is the source's equal, or makes it a slow one."""
    if source.family != target.family:
        fix = "Remove metadata.replica from the topology: dump and restore works with two engines."
        yield Finding(Severity.BLOCKER, SUBJECT, target.site, "it would be of another engine than its source", fix)
        return
    if not engine_for(target.version).can_be_held:
        fix = "Bring both servers to a release that knows CHANGE REPLICATION SOURCE TO, or remove metadata.replica."
        yield Finding(Severity.BLOCKER, SUBJECT, target.site, f"it cannot be held: it is {target.version}", fix)
        return
    if target.release < source.release:
        reason = f"it would be older than its source: {target.version} and {source.version}"
        yield Finding(Severity.BLOCKER, SUBJECT, target.site, reason, "Bring the DR server to the source's release.")
    yield from _ids(source, target)
    yield from _log(source, target)
    if target.family == "MySQL":
        yield from _counted(source)
        yield from _counted(target)
    if schema.without_key:
        reason = f"each changed row of {some(schema.without_key)} is searched for in the whole table"
        fix = "Give these tables a primary key, or metadata.replica.wait_seconds enough for it."
        yield Finding(Severity.WARNING, SUBJECT, target.site, reason, fix)


def _ids(source: ServerFacts, target: ServerFacts) -> Iterator[Finding]:
    for name, fix in (
        ("server_id", "Give each server its own server_id."),
        ("server_uuid", "Stop the copied server, remove auto.cnf from its data folder, start it."),
    ):
        if _same(source, target, name):
            yield Finding(Severity.BLOCKER, SUBJECT, target.site, f"both servers have the same {name}", fix)
    if _same(source, target, "gtid_domain_id"):
        strict = target.on("gtid_strict_mode")
        reason = "both servers count their transactions in one gtid_domain_id, and proofs write at the replica too"
        reason += ": gtid_strict_mode refuses that" if strict else ""
        severity = Severity.BLOCKER if strict else Severity.WARNING
        yield Finding(severity, SUBJECT, target.site, reason, "Give each server its own gtid_domain_id.")


def _log(source: ServerFacts, target: ServerFacts) -> Iterator[Finding]:
    for variable, wanted in (("binlog_format", "ROW"), ("binlog_row_image", "FULL")):
        if (found := source.variables.get(variable)) not in (None, wanted):
            reason = f"{variable} is {found}: what is applied need not be what was done, or finds no row"
            fix = f"SET GLOBAL {variable} = {wanted}, in the configuration as well."
            yield Finding(Severity.BLOCKER, SUBJECT, source.site, reason, fix)
    if "log_bin" in target.variables and not target.on("log_bin"):
        reason = "the binary log is off at the replica: a dump there could not be shown to be one state"
        fix = "Set log_bin in the server's configuration and restart it."
        yield Finding(Severity.BLOCKER, SUBJECT, target.site, reason, fix)
    kept = source.number("binlog_expire_logs_seconds")
    if kept and kept < _SHORT_LOG:
        reason = f"the source keeps its binary log for {kept} s: a replica that was away for longer is set up again"
        fix = "Set binlog_expire_logs_seconds to some days."
        yield Finding(Severity.WARNING, SUBJECT, source.site, reason, fix)


def _counted(server: ServerFacts) -> Iterator[Finding]:
    """Yield what keeps a MySQL server from counting its transactions."""
    for variable in ("gtid_mode", "enforce_gtid_consistency"):
        if not server.on(variable):
            reason = f"{variable} is {server.variables.get(variable, 'OFF')}: no position can be told"
            fix = f"Set {variable} to ON, step by step as MySQL's manual says, in the configuration as well."
            yield Finding(Severity.BLOCKER, SUBJECT, server.site, reason, fix)


def _same(source: ServerFacts, target: ServerFacts, variable: str) -> bool:
    there, here = source.variables.get(variable), target.variables.get(variable)
    return there is not None and there == here
