"""Rules on how we get at the servers: rights of the accounts, TLS, client programs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address

from incorta_provider.metadata.readiness.facts import ServerFacts, ToolFacts, release_of
from incorta_provider.metadata.readiness.finding import Finding, Severity
from incorta_provider.metadata.rights import Grant

WORKER = "worker"
"""The place of findings that are about the Airflow worker."""

EXPIRY = timedelta(days=30)
_OLDEST_CLIENT = (10, 6)
"""Its dump names the position of the snapshot that it reads."""


def rights_findings(site: str, account: str, lacking: Iterable[Grant]) -> Iterator[Finding]:
    """Yield each right that an account lacks.

    :param account: as in SQL.
    """
    for grant in lacking:
        for right in grant.rights:
            fix = Grant((right,), grant.place).statement(account)
            yield Finding(Severity.BLOCKER, "rights", site, f"{account} lacks {right} on {grant.place}", fix)


def tls_findings(server: ServerFacts, host: str, now: datetime) -> Iterator[Finding]:
    """Yield what is unsafe on the way to a server.

    :param host: as the connection has it.
    """
    if not server.encrypted:
        if not _is_here(host):
            fix = "Set ssl and ssl_mode in the connection's extra field; docs/connections.md."
            reason = f"sessions to {host} are in plain text: the metadata can be read on the way"
            yield Finding(Severity.WARNING, "TLS", server.site, reason, fix)
        return
    if not server.verified:
        fix = "Give the CA's certificate as ssl.ca, and leave ssl_mode out or set it to VERIFY_IDENTITY."
        yield Finding(Severity.NOTE, "TLS", server.site, "nothing proves that the server is the one that is meant", fix)
    ends = server.certificate_ends
    if ends is not None and ends - now < EXPIRY:
        when = "has ended" if ends <= now else "ends"
        reason = f"the server's certificate {when} on {ends:%Y-%m-%d %H:%M} UTC"
        yield Finding(Severity.WARNING, "TLS", server.site, reason, "Renew it before sessions are refused.")


def tool_findings(tools: Iterable[ToolFacts], servers: Iterable[ServerFacts]) -> Iterator[Finding]:
    """Yield what is wrong with the client programs of this worker.

    :param tools: those for the servers, which are of one make.
    """
    known = list(servers)
    for tool in tools:
        yield from _tool(tool, known)


def _tool(tool: ToolFacts, servers: list[ServerFacts]) -> Iterator[Finding]:
    subject = "client programs"
    if not tool.version:
        fix = f"Install {tool.package} on every worker."
        yield Finding(Severity.BLOCKER, subject, WORKER, f"{tool.names} is not installed", fix)
        return
    others = [server for server in servers if server.family != tool.family]
    if others:
        reason = f"{tool.names} is of {tool.family} ({tool.version}), {others[0].site} has {others[0].version}"
        yield Finding(Severity.BLOCKER, subject, WORKER, reason, f"Install the client programs of {others[0].family}.")
        return
    release = release_of(tool.version)
    if tool.family == "MariaDB" and release < _OLDEST_CLIENT:
        reason = f"{tool.names} is {tool.version}: its dumps do not tell their position"
        yield Finding(Severity.BLOCKER, subject, WORKER, reason, "Install those of MariaDB 10.6 or later.")
    newer = [server for server in servers if release < server.release]
    if newer:
        reason = f"{tool.names} is {tool.version}, older than the server of {newer[0].site}, {newer[0].version}"
        fix = "Bring the client up; each proof shows whether the dump is whole."
        yield Finding(Severity.WARNING, subject, WORKER, reason, fix)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
