"""What the scripts of a node ask for: start a service through the agent, stop a process.

Stopping needs no agent, may be repeated, and returns when the process is gone.

Raises :class:`~incorta_provider.exceptions.TransientError` when the agent cannot be reached or a process does not end,
and :class:`~incorta_provider.exceptions.ConfigurationError` for a service that the node does not have.
"""

from __future__ import annotations

import http.client
import signal
from urllib.parse import quote

from incorta_provider.exceptions import TransientError
from lab.incorta.home import Home
from lab.incorta.settings import load_settings
from lab.incorta.status import State, read_status, write_status
from lab.processes import send, wait_until_gone

STOP_SECONDS = 60.0


def start_service(home: Home, name: str) -> str:
    """Ask the agent to start a service and return its answer; nothing is proven by it.

    :raises ConfigurationError: the node has no such service.
    :raises TransientError: no agent answers.
    """
    home.service_folder(name)
    port = load_settings(home.path).ports["agent"]
    agent = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        agent.request("POST", f"/services/{quote(name)}/start")
        return agent.getresponse().read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise TransientError(
            f"the node agent does not answer: {error}",
            where=f"127.0.0.1:{port}",
            fix="Run IncortaNode/startNode.sh first.",
        ) from None
    finally:
        agent.close()


def stop(home: Home, name: str, *, force: bool = False) -> str:
    """End a process and return what happened; one that does not run is no error.

    :param force: kill it at once.
    :raises TransientError: it still runs after :data:`STOP_SECONDS`.
    """
    status = read_status(home, name)
    if not status.alive:
        return f"{name} does not run"
    send(status.process, signal.SIGKILL if force else signal.SIGTERM)
    if wait_until_gone([status.process], STOP_SECONDS):
        raise TransientError(
            f"{name} (process {status.pid}) did not end within {STOP_SECONDS:.0f} s",
            where=str(home.path),
            fix="Use -force.",
        )
    write_status(home, name, State.STOPPED, pid=status.pid)
    return f"{name} has stopped"


def stop_service(home: Home, name: str, *, force: bool = False) -> str:
    """End a service as :func:`stop` does.

    :raises ConfigurationError: the node has no such service.
    """
    home.service_folder(name)
    return stop(home, name, force=force)
