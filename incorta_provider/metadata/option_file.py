"""The option file that hands a password to a client program.

The client programs take a password as an argument (shown by ``ps``), in the environment, or from an option file. The
file here is anonymous memory (memfd_create(2)), mode 0600: it never touches a disk, and a process that is killed leaves
nothing behind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from incorta_provider.metadata.endpoint import Endpoint


@contextmanager
def option_file(options: Mapping[str, object]) -> Iterator[int]:
    """Lend a file descriptor; a child that inherits it reads ``/dev/fd/<number>``."""
    handle = os.memfd_create("incorta-dr-options")
    try:
        os.fchmod(handle, 0o600)
        os.write(handle, option_text(options).encode())
        yield handle
    finally:
        os.close(handle)


def login_options(endpoint: Endpoint) -> Mapping[str, object]:
    """Return the options that log a client in.

    ``protocol`` is given because a client takes the host ``localhost`` for the server's socket, which the driver does
    not.
    """
    return {
        "protocol": "tcp",
        "host": endpoint.host,
        "port": endpoint.port,
        "user": endpoint.user,
        "password": endpoint.password,
    }


def lent_options(endpoint: Endpoint, socket: Path) -> Mapping[str, object]:
    """Return the options that let a client use a session of ours."""
    return {"protocol": "socket", "socket": socket, "user": endpoint.user}


def option_text(options: Mapping[str, object]) -> str:
    """Return the text of the file."""
    return "[client]\n" + "".join(f"{name} = {_quoted(str(value))}\n" for name, value in options.items())


def _quoted(value: str) -> str:
    """Quote a value: outside quotes ``#`` starts a comment and blanks at the end are cut."""
    for character, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        value = value.replace(character, escape)
    return f'"{value}"'
