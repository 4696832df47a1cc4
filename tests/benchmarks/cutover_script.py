"""What our cutover is held against: a shell script that does the same operations back to back, and nothing else.

It stops both sites' Incorta, restores the metadata and compares them with the dump, gives them the site's values,
compares the files with a list that was made beforehand, starts the services in the documented order, each when the one
before answers, and logs in. It has no approval, no journal, no lock, no epoch and no second try: it is a person who
knows every command by heart and makes no mistake. It asks five times a second, where it waits.
"""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.files import write
from lab.incorta.settings import NodeSettings, load_settings
from lab.layout import DR, PRIMARY, Lab, Node
from lab.naive.sync import End, end
from lab.servers.mariadb import SCHEMA
from lab.servers.sshd import Sshd

_FUNCTIONS = r"""
remote() { # PORT COMMAND...: at a node
    port=$1; shift
    ssh -n -F none -o BatchMode=yes -o ConnectTimeout=5 -o UserKnownHostsFile="$KNOWN" -o IdentitiesOnly=yes \
        -i "$KEY" -p "$port" "$LOGIN@127.0.0.1" "$@"
}
stop_node() { # PORT HOME
    remote "$1" "$2/IncortaNode/stopService.sh analyticsService; $2/IncortaNode/stopService.sh loaderService; \
        if [ -e $2/cmc ]; then $2/cmc/stop-cmc.sh; fi; $2/IncortaNode/stopNode.sh"
}
until_listening() { # PORT...
    for port; do until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.2; done; done
}
until_refused() { for port; do while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.2; done; done; }
ask() { curl --silent --max-time 10 --noproxy '*' "$@"; }
cluster() { ask -H "Authorization: Bearer $token" "$CMC/cmc/api/v1/clusters/$CLUSTER"; }
log_in_to_cmc() {
    token=$(ask --config "$PRIVATE/cmc.curl" "$CMC/cmc/api/v1/auth/login" | sed -n 's/.*"token": "\([^"]*\)".*/\1/p')
    [ -n "$token" ]
}
count() { grep -o "$1" | wc -l; }
until_started() { # SERVICE
    until [ "$(cluster | count "\"name\": \"$1\", \"status\": {\"statusType\": \"Started\"")" = "$NODES" ]; do
        sleep 0.2
    done
}
log_in_to_analytics() {
    access=$(ask --config "$PRIVATE/analytics.curl" "$ANALYTICS/incorta/authservice/login" |
        sed -n 's/.*"accessToken": "\([^"]*\)".*/\1/p')
    [ -n "$access" ] &&
        ask -H "Authorization: Bearer $access" "$ANALYTICS/incorta/api/v2/$TENANT/schema/list" | grep -q schemaName
}
"""

_STORY = r"""
for port in $SOURCE_SSH; do stop_node "$port" /nowhere 2>/dev/null & done
wait
for each in $TARGET_NODES; do stop_node "${each%%=*}" "${each#*=}" >/dev/null & done
wait
until_refused $PORTS

mariadb --defaults-file="$OPTIONS" -e "DROP DATABASE $SCHEMA; CREATE DATABASE $SCHEMA"
mariadb --defaults-file="$OPTIONS" "$SCHEMA" <"$DUMP"
mariadb-dump --defaults-file="$OPTIONS" $COMPARED "$SCHEMA" | diff --brief - "$STILL"
mariadb --defaults-file="$OPTIONS" "$SCHEMA" <"$VALUES_SQL"
(cd "$STORAGE" && sha256sum --check --quiet "$FILES")

for each in $TARGET_NODES; do remote "${each%%=*}" "${each#*=}/IncortaNode/startNode.sh" >/dev/null & done
wait
until_listening $AGENTS
remote "$CMC_SSH" "$CMC_HOME/cmc/start-cmc.sh" >/dev/null
until log_in_to_cmc; do sleep 0.2; done
until [ "$(cluster | count '"status": "Connected"')" = "$NODES" ]; do sleep 0.2; done
for service in loaderService analyticsService; do
    for each in $TARGET_NODES; do
        remote "${each%%=*}" "${each#*=}/IncortaNode/startService.sh" "$service" >/dev/null &
    done
    wait
    until_started "$service"
done
until log_in_to_analytics; do sleep 0.2; done
"""


@dataclass(frozen=True)
class Script:
    """The script with everything that was made beforehand, in one folder."""

    lab: Lab
    folder: Path

    def prepare(self) -> None:
        """Dump the primary as it is, list its files, and write the script; the DR site must hold the same files."""
        source, target = (end(load_settings(self.lab.site(name).node(1).home)) for name in (PRIMARY, DR))
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = load_settings(self.lab.site(DR).node(1).home)
        for name, options in (("dump.sql", _DUMPED), ("still.sql", _COMPARED)):
            with self._path(name).open("wb") as dump:
                command = ["mariadb-dump", _options(source, self.folder), *options, source.database.schema]
                subprocess.run(command, stdout=dump, check=True)
        self._write("values.sql", _values(target))
        self._write("files", _digests(target.storage))
        self._write("cmc.curl", f'user = "{settings.cmc.login}:{settings.cmc.password}"\n', mode=0o600)
        self._write("analytics.curl", _login_form(settings), mode=0o600)
        self._write("cutover.sh", self._text(settings, target))

    def run(self) -> None:
        """Run it to its end."""
        subprocess.run(["bash", str(self._path("cutover.sh"))], check=True, timeout=300, stdin=subprocess.DEVNULL)

    def _text(self, settings: NodeSettings, target: End) -> str:
        site, sshds = self.lab.site(DR), [Sshd(node) for node in self.lab.site(DR).nodes]
        values = {
            "KEY": str(sshds[0].key_file),
            "KNOWN": str(sshds[0].known_hosts),
            "LOGIN": sshds[0].user,
            "SOURCE_SSH": " ".join(str(Sshd(node).port) for node in self.lab.site(PRIMARY).nodes),
            "TARGET_NODES": " ".join(f"{sshd.port}={sshd.home}" for sshd in sshds),
            "PORTS": " ".join(str(port) for node in site.nodes for port in _ports(node)),
            "AGENTS": " ".join(str(node.port("agent")) for node in site.nodes),
            "NODES": str(len(site.nodes)),
            "CMC_SSH": str(sshds[0].port),
            "CMC_HOME": str(site.node(1).home),
            "CMC": f"http://127.0.0.1:{site.port('cmc')}",
            "ANALYTICS": f"http://127.0.0.1:{site.port('analytics')}",
            "CLUSTER": settings.cluster,
            "TENANT": settings.tenant,
            "PRIVATE": str(self.folder),
            "OPTIONS": _options(target, self.folder).partition("=")[2],
            "SCHEMA": target.database.schema,
            "STORAGE": str(target.storage),
            "COMPARED": " ".join(_COMPARED),
            "STILL": str(self._path("still.sql")),
            "DUMP": str(self._path("dump.sql")),
            "VALUES_SQL": str(self._path("values.sql")),
            "FILES": str(self._path("files")),
        }
        lines = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
        return "\n".join(["#!/bin/bash", "set -euo pipefail", *lines, _FUNCTIONS, _STORY])

    def _path(self, name: str) -> Path:
        return self.folder / name

    def _write(self, name: str, text: str, mode: int = 0o644) -> None:
        write(self._path(name), text, mode=mode)


_COMPARED = (
    "--single-transaction",
    "--routines",
    "--triggers",
    "--hex-blob",
    "--skip-comments",
    f"--ignore-table={SCHEMA}.HEARTBEAT",
)
"""Without the table that an event of Incorta's writes to each second: the script lets events run at once."""
_DUMPED = (*_COMPARED[:-1], "--events")


def _ports(node: Node) -> list[int]:
    found = [node.port(kind) for kind in ("agent", "loader", "analytics")]
    return [*found, node.site.port("cmc")] if node.has_cmc else found


def _options(one: End, folder: Path) -> str:
    """Return the option that names a file with the credentials, kept apart from both sites."""
    database = one.database
    fields = {"host": database.host, "port": database.port, "user": database.user, "password": database.password}
    lines = "".join(f'{key} = "{value}"\n' for key, value in fields.items())
    path = folder / f"{database.port}.cnf"
    write(path, f"[client]\ndefault-character-set = utf8mb4\n{lines}", mode=0o600)
    return f"--defaults-file={path}"


def _values(one: End) -> str:
    updates = [
        f"UPDATE SERVER_CONFIG SET VALUE = '{one.values[name]}' WHERE NAME = '{name}';"
        for name in ("cmc_url", "smtp_host")
    ]
    return "\n".join([f"UPDATE TENANT SET PATH = '{one.values['tenants_path']}';", *updates, ""])


def _digests(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files)


def _login_form(settings: NodeSettings) -> str:
    account = settings.analytics
    fields = {"tenant": settings.tenant, "user": account.login, "pass": account.password}
    return "".join(f'data-urlencode = "{name}={value}"\n' for name, value in fields.items())
