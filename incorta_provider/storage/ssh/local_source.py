"""Files here, as a batch asks for them."""

from __future__ import annotations

from collections.abc import Sequence

from incorta_provider.storage.ssh.facts import Facts, ensure_readable, facts_of
from incorta_provider.storage.ssh.packed import Packed, read_packed


class LocalSource:
    """The files below a folder here, as a batch asks for them."""

    def __init__(self, root: bytes) -> None:
        self._root = root

    def facts(self, paths: Sequence[bytes], *, rest: bool) -> list[Facts]:
        """Return what the file system knows of some files."""
        return facts_of(self._root, paths, rest=rest)

    def packed(self, paths: Sequence[bytes]) -> list[Packed]:
        """Return what some small files hold."""
        return read_packed(self._root, paths)

    def ensure_readable(self, paths: Sequence[bytes]) -> None:
        """Refuse files that may not be read."""
        ensure_readable(self._root, paths)
