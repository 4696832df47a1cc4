"""The scripts of an Incorta node, as documented, and the index of its services. Pure: texts are returned.

``startNode.sh``, ``stopNode.sh``, ``startService.sh <name>``, ``stopService.sh <name> [-force]``, ``startSpark.sh`` and
``stopSpark.sh`` below ``IncortaNode/``, and ``start-cmc.sh``, ``stop-cmc.sh`` below ``cmc/``. Services live in folders
with a GUID for a name, which ``services/services.index`` lists as ``name=GUID``.

A start script returns before anything is started, with status 0 even when the start will fail: that is how the real
ones behave, and why nobody may take the status for a proof.
"""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SERVICES = ("analyticsService", "loaderService")
INDEX = "IncortaNode/services/services.index"


@dataclass(frozen=True, slots=True)
class ScriptFacts:
    """What the scripts of one node are made from.

    :param python: the interpreter that runs the simulator.
    :param checkout: the folder that holds the package ``lab``.
    :param home: the Incorta home of the node.
    :param has_cmc: whether the CMC is installed here.
    :param environment: set by every script, so that what it starts has the site's clock and the lab's markers also when
        a person runs it from a shell of his own.
    """

    python: Path
    checkout: Path
    home: Path
    has_cmc: bool
    environment: Mapping[str, str] = field(default_factory=dict)


def render(facts: ScriptFacts) -> dict[str, str]:
    """Return the text of each file by its path below the home; those that end in ``.sh`` must be made executable."""
    files = {
        "IncortaNode/startNode.sh": _start(facts, "agent", "IncortaNode/logs/agent.log", "Starting the node agent"),
        "IncortaNode/stopNode.sh": _run(facts, "stop agent"),
        "IncortaNode/startSpark.sh": _start(facts, "spark", "IncortaNode/logs/spark.log", "Starting Spark"),
        "IncortaNode/stopSpark.sh": _run(facts, "stop spark"),
        "IncortaNode/startService.sh": _service(facts, "start-service"),
        "IncortaNode/stopService.sh": _service(facts, "stop-service"),
        INDEX: "".join(f"{name}={guid(facts.home, name)}\n" for name in SERVICES),
    }
    if facts.has_cmc:
        files |= {
            "cmc/start-cmc.sh": _start(facts, "cmc", "cmc/logs/cmc.log", "Starting the CMC"),
            "cmc/stop-cmc.sh": _run(facts, "stop cmc"),
        }
    return files


def guid(home: Path, service: str) -> str:
    """Return the name of a service's folder: another one for each node, and the same at each rendering."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{home.as_uri()}/{service}"))


def _start(facts: ScriptFacts, role: str, log: str, message: str) -> str:
    output = shlex.quote(str(facts.home / log))
    command = f"setsid {_program(facts)} {role} --home {shlex.quote(str(facts.home))}"
    return f"{_head(facts)}{command} </dev/null >>{output} 2>&1 &\necho {shlex.quote(message)}\n"


def _service(facts: ScriptFacts, verb: str) -> str:
    usage = 'if [ $# -lt 1 ]; then echo "usage: $0 SERVICE" >&2; exit 2; fi\n'
    return f'{_head(facts)}{usage}exec {_program(facts)} {verb} "$@" --home {shlex.quote(str(facts.home))}\n'


def _run(facts: ScriptFacts, words: str) -> str:
    return f"{_head(facts)}exec {_program(facts)} {words} --home {shlex.quote(str(facts.home))}\n"


def _head(facts: ScriptFacts) -> str:
    variables = {**facts.environment, "PYTHONPATH": str(facts.checkout)}
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()))
    return f"#!/bin/sh\nset -eu\n{exports}"


def _program(facts: ScriptFacts) -> str:
    """Return the command; ``-P`` keeps the folder that a caller happens to be in out of the module path."""
    return f"{shlex.quote(str(facts.python))} -P -m lab.incorta"
