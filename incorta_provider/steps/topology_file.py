"""Read the topology file.

:raises ConfigurationError: the file is absent, unreadable, not UTF-8, or wrong.
"""

from __future__ import annotations

from pathlib import Path

from incorta_provider.dr.topology import Topology
from incorta_provider.dr.topology_text import parse_topology
from incorta_provider.exceptions import ConfigurationError

MAX_BYTES = 1_000_000


def read_topology(path: Path) -> Topology:
    """Return the topology that the file holds."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the topology: {error.strerror}",
            where=str(path),
            fix="Set [incorta_dr] topology to the path of incorta_dr.yaml.",
        ) from None
    if len(content) > MAX_BYTES:
        raise ConfigurationError("the topology is larger than 1 MB", where=str(path), fix="Is this the right file?")
    return parse_topology(_decoded(content, path), str(path))


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"the topology is not UTF-8: {error.reason} at byte {error.start}", where=str(path), fix="Save it as UTF-8."
        ) from None
