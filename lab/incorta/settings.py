"""What a node knows of its own site: the file ``IncortaNode/node.json``, which replication never carries.

Raises :class:`~incorta_provider.exceptions.ConfigurationError` for a file that is missing or lacks a key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from incorta_provider.exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class Database:
    """How to log in at the site's metadata database."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    schema: str


@dataclass(frozen=True, slots=True)
class Account:
    """The administrator of a web console."""

    login: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """One node and its site.

    :param values: the values that differ between sites and stand in the metadata, as they are at this site.
    :param nodes: name and ports of every node of the site, this one included.
    :param status_as_object: in which of its two known forms the CMC shows the status of a service.
    :param session_seconds: how long a login at the CMC is good for.
    """

    site: str
    node: str
    release: str
    cluster: str
    tenant: str
    storage: Path
    outbox: Path
    zookeeper: str
    database: Database
    ports: Mapping[str, int]
    nodes: Mapping[str, Mapping[str, int]]
    cmc_port: int
    cmc: Account
    analytics: Account
    values: Mapping[str, str]
    status_as_object: bool = True
    session_seconds: float = 1800


def load_settings(home: Path) -> NodeSettings:
    """Read the settings of the node that lives in ``home``.

    :raises ConfigurationError: there is no such file, or it lacks something.
    """
    path = home / "IncortaNode" / "node.json"
    try:
        return parse_settings(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        problem = str(error)
    except (KeyError, TypeError) as error:
        problem = f"something is missing: {error}"
    raise ConfigurationError(
        f"cannot read the settings of the node: {problem}", where=str(path), fix="Run `python -m lab up` again."
    )


def parse_settings(document: Mapping[str, Any]) -> NodeSettings:
    """Build the settings from the content of the file."""
    console = document["cmc"]
    return NodeSettings(
        **{name: document[name] for name in ("site", "node", "release", "cluster", "tenant", "zookeeper")},
        storage=Path(document["storage"]),
        outbox=Path(document["outbox"]),
        database=Database(**document["database"]),
        ports=document["ports"],
        nodes={node["node"]: node["ports"] for node in document["nodes"]},
        cmc_port=console["port"],
        cmc=Account(console["login"], console["password"]),
        analytics=Account(document["analytics"]["login"], document["analytics"]["password"]),
        values=document["values"],
        status_as_object=console.get("status_as_object", True),
        session_seconds=console.get("session_seconds", 1800),
    )
