"""Every kind of object between every pair of engines: equal or refused, never silently another; writes the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.dump import dump
from incorta_provider.metadata.prove import prove
from tests.integration.metadata_engines.features import ENGINES, FEATURES
from tests.integration.metadata_engines.matrix import DOCUMENT, page

pytestmark = pytest.mark.mysql


def looked_at(source: Any, target: Any, folder: Path) -> dict[str, str]:
    """Return what becomes of each feature on the way from one schema to a server."""
    engine = source.endpoint.engine().name
    here = [feature for feature in FEATURES if engine in feature.made]
    for feature in here:
        source.run("SET SESSION sql_mode = ''", *feature.made[engine])
    dump(source.endpoint, folder)
    outcome = proven(target, folder) if target.endpoint.engine().name == engine else refused(target, folder)
    return {feature.title: outcome if feature in here else "none" for feature in FEATURES}


def proven(target: Any, folder: Path) -> str:
    found = prove(target.endpoint, folder / "metadata.sql.zst", folder / "inventory.json", scratch_key="matrix")
    assert [str(difference) for difference in found] == []
    return "equal"


def refused(target: Any, folder: Path) -> str:
    with pytest.raises(ConfigurationError, match=r"the dump is \w+'s, the server is a \w+"):
        prove(target.endpoint, folder / "metadata.sql.zst", folder / "inventory.json", scratch_key="matrix")
    return "refused"


def test_every_pair(mariadb_pair: Any, mysql_pair: Any, schema_at: Callable[..., Any], tmp_path: Path) -> None:
    servers = dict(zip(ENGINES, (mariadb_pair, mysql_pair), strict=True))
    cells = {}
    for source in ENGINES:
        for target in ENGINES:
            folder = tmp_path / f"{source}-{target}"
            folder.mkdir()
            places = schema_at(servers[source].primary), schema_at(servers[target].dr)
            cells[source, target] = looked_at(*places, folder)
    versions = {name: schema_at(pair.dr).endpoint.engine().version for name, pair in servers.items()}
    assert all("equal" in cells[engine, engine].values() for engine in ENGINES)
    rows = [(feature.kind, feature.title) for feature in FEATURES]
    DOCUMENT.write_text(page(versions, rows, cells), encoding="utf-8")
