from __future__ import annotations

import pytest

from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.engines.detection import engine_for


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("10.11.19-MariaDB-log", "MariaDB"),
        ("5.5.5-10.11.19-MariaDB", "MariaDB"),
        ("11.4.2-MariaDB-ubu2404", "MariaDB"),
        ("8.0.36", "MySQL"),
        ("8.4.0-commercial", "MySQL"),
        ("9.7.4-2", "MySQL"),
    ],
)
def test_a_server_is_known_by_its_version(version: str, name: str) -> None:
    engine = engine_for(version)
    assert (engine.name, engine.version) == (name, version)


@pytest.mark.parametrize("version", ["", "5.7.44-log", "PostgreSQL 16"])
def test_another_server_is_refused(version: str) -> None:
    with pytest.raises(ConfigurationError, match="supported are MariaDB and MySQL from"):
        engine_for(version)
