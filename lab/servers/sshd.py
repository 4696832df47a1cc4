"""The sshd of a node: private, with its own host key, on loopback, keys only.

Works as root and as a normal user, who can then log in as himself only. Processes that a session leaves behind carry
the markers of the lab and of the site, for sshd sets them in every session.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.files import write
from lab.layout import Lab, Node
from lab.programs import account_name
from lab.supervisor import markers

_PRIVILEGE_SEPARATION = Path("/run/sshd")
"""An empty folder that sshd wants when root starts it: the one thing that the lab makes outside its state folder."""
_SSHD = "/usr/sbin/sshd"
"""sshd starts itself anew for each session and must be called by its full path."""
HARDENED = "newyork_node2"
"""The node that allows two sessions for each login, as Lynis advises."""


@dataclass(frozen=True, slots=True)
class Sshd:
    """The sshd of one node, and what is needed to log in there."""

    node: Node

    host = "127.0.0.1"

    @property
    def name(self) -> str:
        """Return the name of the process."""
        return f"{self.node.site.name}-{self.node.name}-sshd"

    @property
    def site_name(self) -> str:
        """Return the name of the site."""
        return self.node.site.name

    @property
    def port(self) -> int:
        """Return the TCP port."""
        return self.node.port("ssh")

    @property
    def ports(self) -> Sequence[int]:
        """Return the one port."""
        return (self.port,)

    @property
    def log(self) -> Path:
        """Return the log."""
        return self.node.sshd / "log"

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the site's clock."""
        return {"TZ": self.node.site.timezone}

    @property
    def user(self) -> str:
        """Return the account of the node: the one that runs the lab."""
        return account_name()

    @property
    def key_file(self) -> Path:
        """Return the client's private key."""
        return self.node.site.lab.key_file

    @property
    def known_hosts(self) -> Path:
        """Return the file with the pinned host keys."""
        return self.node.site.lab.known_hosts

    @property
    def home(self) -> Path:
        """Return the Incorta home of the node."""
        return self.node.home

    @property
    def host_key(self) -> str:
        """Return the public host key as ``known_hosts`` writes it: type and base64."""
        return " ".join(self._host_key.with_suffix(".pub").read_text(encoding="utf-8").split()[:2])

    def prepare(self) -> None:
        """Make the keys once, pin the host key, and write the configuration."""
        self.node.home.mkdir(parents=True, exist_ok=True)
        lab = self.node.site.lab
        with _one_at_a_time(lab.keys):
            _make_key(lab.key_file, "incorta-lab")
            _make_key(self._host_key, self.node.conn_id)
            self._pin_host_key()
        public = lab.key_file.with_suffix(".pub").read_text(encoding="utf-8")
        write(self.node.sshd / "authorized_keys", public, mode=0o600)
        write(self.node.sshd / "sshd_config", self._configuration(), mode=0o600)
        if os.geteuid() == 0:
            _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)

    def command(self) -> Sequence[str]:
        """Return the command line: in the foreground, log to standard error."""
        return (_SSHD, "-D", "-e", "-f", str(self.node.sshd / "sshd_config"))

    def not_ready(self) -> str:
        """Return why no SSH server answers yet."""
        try:
            with socket.create_connection((self.host, self.port), timeout=5) as connection:
                banner = connection.recv(64)
        except OSError as error:
            return str(error)
        return "" if banner.startswith(b"SSH-2.0-") else f"unexpected greeting {banner!r}"

    @property
    def _host_key(self) -> Path:
        return self.node.sshd / "host_key"

    def _pin_host_key(self) -> None:
        """Replace this node's line in the lab's ``known_hosts``."""
        place = f"[{self.host}]:{self.port}"
        lines = self.known_hosts.read_text(encoding="utf-8").splitlines() if self.known_hosts.exists() else []
        kept = [line for line in lines if line.split(" ", 1)[0] != place]
        write(self.known_hosts, "\n".join([*kept, f"{place} {self.host_key}"]) + "\n")

    def _configuration(self) -> str:
        """Return ``sshd_config``.

        StrictModes is off because it refuses a state folder below a world-writable one such as ``/tmp``; only the owner
        can write the key file itself. PAM is on only where root's password is locked, which sshd refuses without it.
        """
        folder = self.node.sshd
        settings = {
            "Port": self.port,
            "ListenAddress": self.host,
            "HostKey": f'"{self._host_key}"',
            "PidFile": f'"{folder / "pid"}"',
            "AuthorizedKeysFile": f'"{folder / "authorized_keys"}"',
            "StrictModes": "no",
            "UsePAM": "yes" if _password_is_locked() else "no",
            "PubkeyAuthentication": "yes",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
            "Subsystem": "sftp internal-sftp",
            "MaxStartups": "100:30:200",
            "MaxSessions": 2 if self.node.conn_id == HARDENED else 100,
            "PrintMotd": "no",
            "SetEnv": " ".join(f'"{name}={value}"' for name, value in self.session_environment.items()),
        }
        return "".join(f"{key} {value}\n" for key, value in settings.items())

    @property
    def session_environment(self) -> dict[str, str]:
        """Return what every session gets.

        A bash that sshd starts reads the account's ``~/.bashrc``, unless another shell seems to have started it
        (``SHLVL``). A node's account is here the one of whoever runs the lab, whose file may do anything: pyenv's
        takes a fifth of a second of processor for each command, one after the other, under a lock.
        """
        site = self.node.site
        return markers(site.lab, site.name) | {"TZ": site.timezone, "SHLVL": "1"}


def _password_is_locked() -> bool:
    """Return whether the account's password is locked; a normal user cannot read that, and neither can his sshd."""
    try:
        lines = Path("/etc/shadow").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(line.startswith(f"{account_name()}:!") for line in lines)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Keep the sshds that start in parallel from writing the shared key files at the same time."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _make_key(path: Path, comment: str) -> None:
    """Make an ed25519 key unless it exists; its public half is renamed last and marks it as whole."""
    public = path.with_suffix(".pub")
    if public.exists() and path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    for leftover in (draft, draft.with_suffix(".pub"), draft.with_name(f"{draft.name}.pub"), path, public):
        leftover.unlink(missing_ok=True)
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(draft)]
    subprocess.run(argv, stdin=subprocess.DEVNULL, check=True, capture_output=True)
    draft.rename(path)
    draft.with_name(f"{draft.name}.pub").rename(public)


def known_nodes(lab: Lab) -> list[Sshd]:
    """Return the sshd of every node of the lab."""
    return [Sshd(node) for site in lab.sites for node in site.nodes]
