"""The Incorta home of a node: where its services, logs and process facts lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from incorta_provider.exceptions import ConfigurationError
from lab.incorta.scripts import INDEX


@dataclass(frozen=True, slots=True)
class Home:
    """One home."""

    path: Path

    def service_folder(self, name: str) -> Path:
        """Return the folder of a service, as ``services.index`` gives it.

        :raises ConfigurationError: the index does not name the service.
        """
        index = self.path / INDEX
        lines = index.read_text(encoding="utf-8").splitlines() if index.exists() else []
        guids = dict(line.split("=", 1) for line in lines if "=" in line)
        if name not in guids:
            raise ConfigurationError(
                f"there is no service {name!r}", where=str(index), fix=f"Known are: {', '.join(guids) or 'none'}."
            )
        return index.parent / guids[name]

    def service_log(self, name: str) -> Path:
        """Return the log of a service."""
        return self.service_folder(name) / "logs" / f"{name}.log"

    def status_file(self, name: str) -> Path:
        """Return the file that says how a process of this home is."""
        return self.path / "run" / f"{name}.json"

    def lock_file(self, name: str) -> Path:
        """Return the file that a process of this home holds locked while it lives."""
        return self.path / "run" / f"{name}.lock"
