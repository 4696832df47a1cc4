"""Modules that are imported when something of them is used for the first time.

Each task of Airflow and each call of ``incorta-dr`` is a process that imports this package again. paramiko, pyarrow,
httpx and fsspec take more time than all of ours, and most of those processes use none or one of them.

Type checkers know nothing of this; there the module is imported as ever::

    if TYPE_CHECKING:
        import paramiko
    else:
        paramiko = late("paramiko")
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any


class LateModule:
    """Stands for a module: has its attributes, and nothing else."""

    def __init__(self, name: str) -> None:
        self.__name = name
        self.__module: ModuleType | None = None

    def __getattr__(self, attribute: str) -> Any:
        if (module := self.__module) is None:  # to ask for it each time costs more than much that is done with it
            module = self.__module = import_module(self.__name)
        return getattr(module, attribute)

    def __repr__(self) -> str:
        return f"<{self.__name}, imported when it is used>"


def late(name: str) -> LateModule:
    """Return what stands for the module of this full name.

    :raises ImportError: there is no such module; at the first use.
    """
    return LateModule(name)
