"""Run commands at a node over SSH, and learn their real exit status.

Only pinned host keys are trusted. Neither an SSH agent nor keys that lie around are used: what logs in stands in the
connection. A command is a list of words; the shell at the node gets them quoted.

:raises ConfigurationError: host key, credential, name or algorithms; see :mod:`incorta_provider.ssh.ssh_errors`.
:raises TransientError: the node cannot be reached, does not answer in time, or the connection was lost.
"""

from __future__ import annotations

import logging
import shlex
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import PreconditionError, TransientError
from incorta_provider.late import late
from incorta_provider.ssh.host_keys import RefuseUnknown, pinned_keys
from incorta_provider.ssh.private_key import private_key
from incorta_provider.ssh.ssh_errors import command_error, connect_error

if TYPE_CHECKING:
    import paramiko
else:
    paramiko = late("paramiko")

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 15.0
COMMAND_TIMEOUT = 120.0
MAX_OUTPUT = 4 * 1024 * 1024
"""Bytes of output that are taken from one command."""

_KEEPALIVE = 30
"""Seconds after which something is sent on an idle login, so that no firewall on the way forgets it."""
_LINGER = 0.5
"""Seconds without output, after the exit status, until a command's output counts as whole: a start script leaves a
service behind that keeps the output open forever."""
_PAUSE = 0.01
_WITHOUT_INPUT = "exec {} </dev/null"
"""Ends a command's input at the node. To end it from here sends a message for a channel that sshd may have closed by
then, because a short command is over already; sshd answers that with the end of the whole login, which others use."""
_PARAMIKO_LOG = f"{__name__}.paramiko"
logging.getLogger(_PARAMIKO_LOG).setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended.

    :ivar status: its exit status, as the node reported it.
    """

    status: int
    stdout: str
    stderr: str


class NodeShell:
    """A login at one node; a context manager. A login that was dropped between two commands is renewed.

    Commands of several threads share the login. One more than the node allows (``MaxSessions`` of its sshd) gets a
    login of its own.

    :param info: host, port (22), login; private key or password; pinned host keys. With a key, the password is the
        key's passphrase.
    :param timeout: seconds for each stage of the login.
    """

    def __init__(self, info: ConnectionInfo, timeout: float = CONNECT_TIMEOUT) -> None:
        info.require("host", "login")
        self._info = info
        self._timeout = timeout
        self._port = info.port or 22
        self.place = f"{info.login}@{info.host}:{self._port}"
        self._client: paramiko.SSHClient | None = None
        self._ending = ExitStack()
        self._opening = Lock()

    def __enter__(self) -> Self:
        self._client = self._logged_in(self._ending)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._client = None
        self._ending.close()

    def run(self, argv: Sequence[str], timeout: float = COMMAND_TIMEOUT) -> Completed:
        """Run a command to its end.

        :param argv: its words; never a secret, because they stand in the node's process list.
        :param timeout: seconds for the whole command, however much it prints.
        """
        command = shlex.join(argv)
        started = time.monotonic()
        try:
            with ExitStack() as ending:
                channel = ending.enter_context(closing(self._open(command, ending)))
                stdout, stderr = self._collect(channel, command, started + timeout)
                if (status := channel.recv_exit_status()) < 0:
                    raise self._no_status(command, channel.get_transport())
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise command_error(error, f"running {command}", self.place) from error
        log.debug("%s: %s: exit status %d after %.2f s", self.place, command, status, time.monotonic() - started)
        return Completed(status, stdout.decode(errors="replace"), stderr.decode(errors="replace"))

    def _no_status(self, command: str, transport: paramiko.Transport) -> TransientError:
        """SSH knows no exit status of a command that a signal ended (RFC 4254, 6.10), nor after a lost connection."""
        if not transport.is_active():
            return command_error(EOFError("closed by the node"), f"running {command}", self.place)
        return TransientError(f"a signal ended {command}", where=self.place, fix="Find out at the node who sent it.")

    def start(self, argv: Sequence[str]) -> paramiko.Channel:
        """Start a command that is talked to: what is sent into the channel is its input.

        It gets no time limit, and ends by its own will when its input does: when the channel is closed, or this login.

        :param argv: its words; never a secret, because they stand in the node's process list.
        """
        try:
            return self._open(shlex.join(argv), self._ending, talk=True)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise command_error(error, f"starting {argv[0]}", self.place) from error

    def _open(self, command: str, ending: ExitStack, *, talk: bool = False) -> paramiko.Channel:
        channel = self._channel(ending)
        channel.settimeout(self._timeout)
        channel.exec_command(command if talk else _WITHOUT_INPUT.format(command))
        return channel

    def _channel(self, ending: ExitStack) -> paramiko.Channel:
        """Open a channel; on a login that ends with ``ending`` where the shared one takes no more at the same time."""
        try:
            return self._shared_channel()
        except paramiko.ChannelException as refusal:
            log.info("%s: one more login, for one command: %s", self.place, refusal)
            return self._channel_of(self._logged_in(ending))

    def _shared_channel(self) -> paramiko.Channel:
        """Open a channel; where that fails because the login is gone, log in anew, once: nothing was asked for yet.

        One at a time: of two that the node refuses, paramiko tells only one why. The lost login is closed at the end,
        because commands may listen there.
        """
        with self._opening:
            if self._client is None:
                raise EOFError("not connected")
            try:
                return self._channel_of(self._client)
            except paramiko.ChannelException:  # the login is there, and others use it
                raise
            except (OSError, EOFError, paramiko.SSHException) as error:
                log.info("%s: logging in anew: %s", self.place, error)
                self._client = self._logged_in(self._ending)
                return self._channel_of(self._client)

    def _channel_of(self, client: paramiko.SSHClient) -> paramiko.Channel:
        transport = client.get_transport()
        if transport is None:
            raise EOFError("not connected")
        return transport.open_session(timeout=self._timeout)

    def _logged_in(self, ending: ExitStack) -> paramiko.SSHClient:
        client = self._connect()
        ending.callback(client.close)
        if (transport := client.get_transport()) is not None:
            transport.set_keepalive(_KEEPALIVE)
        return client

    def _collect(self, channel: paramiko.Channel, command: str, deadline: float) -> tuple[bytearray, bytearray]:
        """Take the output until the command ended and its output did too, or lingers."""
        stdout, stderr = bytearray(), bytearray()
        quiet_since = time.monotonic()
        while True:
            ended, at_end = channel.exit_status_ready(), channel.eof_received or channel.closed
            now = time.monotonic()
            got_some = _drain(channel, stdout, stderr)
            if got_some or not ended:
                quiet_since = now
            elif at_end or now - quiet_since > _LINGER:
                return stdout, stderr
            if got_some:
                self._refuse_flood(command, stdout, stderr)
            else:
                time.sleep(_PAUSE)
            if now > deadline:
                raise TransientError(
                    f"still running: {command}",
                    where=self.place,
                    fix="The command may go on at the node; look at it there before you try again.",
                )

    def _refuse_flood(self, command: str, *outputs: bytearray) -> None:
        if sum(map(len, outputs)) > MAX_OUTPUT:
            raise PreconditionError(
                f"printed more than {MAX_OUTPUT} bytes: {command}", where=self.place, fix="Look at it at the node."
            )

    def client(self) -> paramiko.SSHClient:
        """Return a connection of its own, logged in; who asks for it closes it."""
        return self._connect()

    def _connect(self) -> paramiko.SSHClient:
        info = self._info
        name = info.host if self._port == 22 else f"[{info.host}]:{self._port}"
        key = private_key(info)
        if key is None:
            info.require("password")
        with ExitStack() as cleanup:
            client = paramiko.SSHClient()
            cleanup.callback(client.close)
            client.set_log_channel(_PARAMIKO_LOG)
            client.set_missing_host_key_policy(RefuseUnknown(info))
            client.get_host_keys().update(pinned_keys(info, name))
            try:
                self._log_in(client, key)
            except (OSError, EOFError, UnicodeError, paramiko.SSHException) as error:
                raise connect_error(error, self.place) from error
            cleanup.pop_all()
        return client

    def _log_in(self, client: paramiko.SSHClient, key: paramiko.PKey | None) -> None:
        client.connect(
            self._info.host,
            self._port,
            username=self._info.login,
            pkey=key,
            password=None if key else self._info.password,
            sock=socket.create_connection((self._info.host, self._port), timeout=self._timeout),
            timeout=self._timeout,
            banner_timeout=self._timeout,
            auth_timeout=self._timeout,
            channel_timeout=self._timeout,
            allow_agent=False,
            look_for_keys=False,
        )


def _drain(channel: paramiko.Channel, stdout: bytearray, stderr: bytearray) -> bool:
    """Take what is there now; return whether it was anything."""
    before = len(stdout) + len(stderr)
    if channel.recv_ready():
        stdout += channel.recv(65536)
    if channel.recv_stderr_ready():
        stderr += channel.recv_stderr(65536)
    return len(stdout) + len(stderr) > before
