"""Starts, finds and ends the processes of one lab: only those which it started itself.

One JSON file a process lies in ``run/``. The new process writes it, before it becomes the server: should the supervisor
be killed at any moment, no server runs that is not written down. Markers in the environment find the rest, such as what
a script sent to the background; alone they would not do, for sshd writes its title over its environment.

Raises :class:`~incorta_provider.exceptions.ConfigurationError` for a program that cannot be started.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from incorta_provider.exceptions import ConfigurationError
from lab.files import last_lines
from lab.launch import await_launches, is_launching, launch, launching
from lab.layout import Lab
from lab.processes import Process, family, find, is_alive, send, wait_until_gone
from lab.programs import find_program

LAB_MARKER = "INCORTA_LAB"
SITE_MARKER = "INCORTA_LAB_SITE"
NAME_MARKER = "INCORTA_LAB_PROCESS"

_NOT_INHERITED = frozenset({SITE_MARKER, "PYTHONDONTWRITEBYTECODE"})
"""With the latter, which many container images set, every process of an Airflow whose packages were not compiled at
their installation compiles them anew: a cutover took seconds longer, and no installed Airflow is like that."""


def markers(lab: Lab, site: str = "") -> dict[str, str]:
    """Return the environment variables that mark a process as part of the lab, or of one of its sites."""
    found = {LAB_MARKER: str(lab.root)}
    return found | {SITE_MARKER: str(lab.root / site)} if site else found


def marked_environment(lab: Lab, site: str, name: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment with ``extra``, and the markers of a process called ``name`` and no others."""
    inherited = {key: value for key, value in os.environ.items() if key not in _NOT_INHERITED}
    return {**inherited, **(extra or {}), **markers(lab, site), NAME_MARKER: name}


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a supervised process.

    :param site: empty for what belongs to no site.
    :param ticks: its start time, which tells it from a later process with the same id.
    """

    name: str
    site: str
    pid: int
    ticks: int
    log: str

    @property
    def process(self) -> Process:
        """Return the process that is meant."""
        return Process(self.pid, parent=0, ticks=self.ticks)


@dataclass(frozen=True, slots=True)
class Supervisor:
    """The processes of one lab."""

    lab: Lab

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        site: str = "",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Record:
        """Start a process in a session of its own, or return the one that runs under this name already.

        :param log: gets standard output and error, appended.
        :param env: added to this process's environment.
        """
        program = find_program(argv[0])
        if program is None:
            raise ConfigurationError(
                f"cannot start {name}: no program {argv[0]}", where="this machine", fix="Run `python -m lab packages`."
            )
        with launching(self.lab.run) as lock:
            running = self.get(name)
            if running and is_alive(running.process):
                return running
            self.kill(name)
            pid = launch(
                [program, *argv[1:]],
                lock=lock,
                record=self._path(name),
                facts={"name": name, "site": site, "log": str(log)},
                env=marked_environment(self.lab, site, name, env),
                log=log,
                cwd=cwd or self.lab.root,
            )
            return self._await_record(name, pid, log)

    def _await_record(self, name: str, pid: int, log: Path) -> Record:
        """Wait for the record that the new process writes of itself."""
        deadline = time.monotonic() + 60
        running = True
        while running and time.monotonic() < deadline:
            running = find(pid) is not None
            record = self.get(name)
            if record and record.pid == pid and not is_launching(pid, self.lab.run):
                return record
            time.sleep(0.005)
        raise ConfigurationError(
            f"{name} ended before it began. The end of its log:\n{last_lines(log)}\n",
            where=str(log),
            fix="Correct what the log names and run the same command again.",
        )

    def get(self, name: str) -> Record | None:
        """Return what was recorded of this name, be it alive or not."""
        try:
            return Record(**json.loads(self._path(name).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def alive(self, name: str) -> bool:
        """Return whether the process of this name runs."""
        record = self.get(name)
        return record is not None and is_alive(record.process)

    def records(self, site: str | None = None) -> list[Record]:
        """Return the records, sorted by name; those of one site when it is given."""
        names = sorted(path.stem for path in self.lab.run.glob("*.json"))
        found = (record for name in names if (record := self.get(name)))
        return [record for record in found if site is None or record.site == site]

    def stop(self, name: str, *, seconds: float = 15) -> None:
        """Ask a process to end (SIGTERM); kill what is left of it and its descendants after ``seconds``."""
        record = self.get(name)
        if record is None:
            return
        members = self._leftovers(name, record)
        send(record.process, signal.SIGTERM)
        wait_until_gone([record.process], seconds)
        self._end(members)
        self.kill(name)

    def kill(self, name: str) -> None:
        """Kill a process and its descendants at once (SIGKILL)."""
        self._end(self._leftovers(name, self.get(name)))
        self._path(name).unlink(missing_ok=True)

    def stop_all(self, *, seconds: float = 15) -> int:
        """End every process of the lab and return how many there were: SIGTERM, and SIGKILL after ``seconds``."""
        await_launches(self.lab.run)
        members = family(markers(self.lab), [record.process for record in self.records()])
        for process in members:
            send(process, signal.SIGTERM)
            send(process, signal.SIGCONT)
        wait_until_gone(members, seconds)
        self.kill_all()
        return len(members)

    def kill_all(self, site: str = "") -> int:
        """Kill every process of a site, or of the whole lab, and return how many there were.

        Supervised ones, those which scripts sent to the background, and sessions of sshd. The supervised ones are
        halted first, so that none of them can make a child that is missed.
        """
        await_launches(self.lab.run)
        records = self.records(site or None)
        roots = [record.process for record in records]
        for root in roots:
            send(root, signal.SIGSTOP)
        killed: set[Process] = set()
        deadline = time.monotonic() + 30
        while (members := family(markers(self.lab, site), roots)) and time.monotonic() < deadline:
            killed.update(members)
            self._end(members)
        for record in records:
            self._path(record.name).unlink(missing_ok=True)
        return len(killed)

    def _leftovers(self, name: str, record: Record | None = None) -> list[Process]:
        roots = [record.process] if record else []
        return family(markers(self.lab) | {NAME_MARKER: name}, roots)

    def _path(self, name: str) -> Path:
        return self.lab.run / f"{name}.json"

    @staticmethod
    def _end(processes: Iterable[Process]) -> None:
        members = list(processes)
        for process in members:
            send(process, signal.SIGKILL)
        wait_until_gone(members, seconds=60)
