"""Runs the client programs of the database server: the dump client and the SQL client.

Raises :class:`~incorta_provider.exceptions.ConfigurationError` when the program is not installed, and what the end of
its error output stands for when it fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from itertools import product
from pathlib import Path
from typing import IO, cast

import pymysql

from incorta_provider.exceptions import ConfigurationError, DrError
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.engines.engine import Program, Programs
from incorta_provider.metadata.engines.mariadb import MariaDb
from incorta_provider.metadata.errors import translate
from incorta_provider.metadata.option_file import lent_options, login_options, option_file
from incorta_provider.metadata.relay import lent

_ERROR_NUMBER = re.compile(r"(?:ERROR|[Ee]rror:?) (\d{4})\b|\((\d{4})\)")
_COMPLAINT = re.compile(r"ERROR \d|Error:|mariadb|mysql")
_ERROR_BYTES = 2000


def find_program(program: Program, programs: Programs = MariaDb.programs) -> str:
    """Return the path of a client program.

    :raises ConfigurationError: none of its names is on the PATH, or only another engine's program of that name.
    """
    names = programs.names[program]
    for name, folder in product(names, os.get_exec_path()):
        path = shutil.which(name, path=folder)
        if path and not _is_foreign(path, programs):
            return path
    raise ConfigurationError(
        f"the program {' or '.join(names)} is not installed",
        where="Airflow worker",
        fix=f"Install {programs.package} on every worker.",
    )


def _is_foreign(path: str, programs: Programs) -> bool:
    """Tell by its version whether a program is another engine's, which gave it the same name."""
    if not programs.not_from:
        return False
    said = subprocess.run([path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return programs.not_from in said.stdout


@dataclass(frozen=True, slots=True)
class Client:
    """A running client program."""

    endpoint: Endpoint
    program: str
    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    @property
    def output(self) -> BufferedReader:
        """What the dump client writes."""
        return cast("BufferedReader", self.process.stdout)

    @property
    def input(self) -> IO[bytes]:
        """What the SQL client reads."""
        return cast("IO[bytes]", self.process.stdin)

    @property
    def name(self) -> str:
        """The program's name."""
        return Path(self.program).name

    def finish(self) -> None:
        """Wait for the end and refuse any other status than 0.

        :raises DrError: by the number in the program's own error message.
        """
        if self.process.wait() != 0:
            raise self.failure()

    def failure(self) -> DrError:
        """Return the error that the program's own message stands for."""
        self.errors.seek(0)
        return program_error(self.name, self.process.returncode, self.errors.read(), self.endpoint.label)


def program_error(name: str, status: int, errors: bytes, where: str) -> DrError:
    """Return the error that a client program's own message stands for.

    :param errors: what it wrote to its error output.
    """
    said = _complaint(errors)
    match = _ERROR_NUMBER.search(said)
    number = int(match[1] or match[2]) if match else 0
    text = f"{name} ended with status {status}: {said or 'no message'}"
    cause = pymysql.err.OperationalError(number, text)
    error = translate(cause, where)
    error.__cause__ = cause
    return error


def _complaint(errors: bytes) -> str:
    """Return what the program complained of, without the statement that it may show before: that holds data."""
    lines = errors[-_ERROR_BYTES:].decode(errors="replace").splitlines()
    return " ".join(line for line in lines if _COMPLAINT.match(line))


@contextmanager
def running(
    program: Program,
    endpoint: Endpoint,
    arguments: Sequence[str],
    options: Mapping[str, object] | None = None,
    *,
    programs: Programs = MariaDb.programs,
) -> Iterator[Client]:
    """Start a client program with a pipe for what it reads or writes; it is ended when the block is left.

    :param endpoint: where it works, for messages and, unless ``options`` say something else, its login. Where that is
        to be with TLS, the program is lent a session of ours.
    :param programs: of the engine at the other end.
    """
    path = find_program(program, programs)
    with ExitStack() as stack:
        if options is None:
            options = _own_session(endpoint, stack) if endpoint.tls else login_options(endpoint)
        handle = stack.enter_context(option_file(options))
        errors = stack.enter_context(tempfile.TemporaryFile())
        process = subprocess.Popen(
            [path, f"--defaults-file=/dev/fd/{handle}", "--default-character-set=utf8mb4", *arguments],
            stdin=subprocess.PIPE if program == "sql" else subprocess.DEVNULL,
            stdout=subprocess.PIPE if program == "dump" else subprocess.DEVNULL,
            stderr=errors,
            pass_fds=[handle],
        )
        try:
            yield Client(endpoint, path, process, errors)
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    _close(pipe)


def _own_session(endpoint: Endpoint, stack: ExitStack) -> Mapping[str, object]:
    session = stack.enter_context(endpoint.connect())
    return lent_options(endpoint, stack.enter_context(lent(session, keeps_snapshot=False)))


def _close(pipe: IO[bytes]) -> None:
    """Close a pipe whose other end may be gone with data still in the buffer."""
    try:
        pipe.close()
    except BrokenPipeError:
        return
