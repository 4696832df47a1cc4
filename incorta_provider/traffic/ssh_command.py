"""A command at a host over SSH; strict host keys, real exit status.

A connection that drops in the middle starts no second copy of the command beside the first: whoever asks again for the
same value waits for the copy that runs.

:raises TransientError: the host cannot be reached, or a command fails or does not end.
:raises ConfigurationError: the login is wrong, or a command is not there.
"""

from __future__ import annotations

import hashlib

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.traffic import SshCommand, State
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.services.remote_job import run_once
from incorta_provider.ssh.shell import Completed, NodeShell
from incorta_provider.traffic.doer import Doer

COMMAND_SECONDS = 60.0
_NOT_FOUND = frozenset({126, 127})
"""What a shell returns for a command that is absent or not executable (POSIX 2.8.2)."""


class CommandAtHost(Doer):
    """Two commands at one host: one sets the value, the other prints it.

    :param run_id: on whose behalf; the same run gets the result of a command that it started and lost sight of.
    """

    def __init__(self, command: SshCommand, info: ConnectionInfo, run_id: str) -> None:
        super().__init__(command.name, f"connection {info.conn_id}", command.seconds)
        self._command = command
        self._info = info
        self._run_id = run_id

    def read(self) -> State | None:
        """Return what the command prints; None when it prints nothing."""
        words = list(self._command.get)
        with NodeShell(self._info) as shell:
            done = shell.run(words, COMMAND_SECONDS)
        self._ensure_done(words, done)
        value = done.stdout.strip()
        return {"value": value} if value else None

    def write(self, state: State | None) -> None:
        """Run the command that sets the value."""
        if state is None:
            raise ConfigurationError(
                f"traffic {self.name} had no value before, and there is no command that removes one",
                where=self.place,
                fix="Remove it by hand.",
            )
        words = self._command.words(state["value"])
        key = f"{self._run_id} {hashlib.sha256(state['value'].encode()).hexdigest()}"
        with NodeShell(self._info) as shell:
            done = run_once(shell, f".incorta_dr/traffic-{self.name}", key, words, COMMAND_SECONDS)
        self._ensure_done(words, done)

    def _ensure_done(self, words: list[str], done: Completed) -> None:
        if done.status == 0:
            return
        kind = ConfigurationError if done.status in _NOT_FOUND else TransientError
        raise kind(
            f"{words[0]} ended with exit status {done.status}: {(done.stderr or done.stdout).strip()[-300:]}",
            where=self.place,
            fix="Check it at the host; the command is in the topology, under traffic.",
        )
