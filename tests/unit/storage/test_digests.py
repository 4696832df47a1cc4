"""Reading at the target again: what a failure is called."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError, DrError, TransientError
from incorta_provider.storage.digests import read


@pytest.mark.parametrize(
    ("code", "kind", "what"),
    [
        (errno.EIO, TransientError, "reading failed: Input/output error"),
        (errno.ESTALE, TransientError, "reading failed: Stale file handle"),
        (errno.EACCES, ConfigurationError, "cannot read: Permission denied"),
    ],
)
def test_what_cannot_be_read_is_not_told_as_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[DrError], what: str
) -> None:
    (tmp_path / "a").write_bytes(b"1")

    def fail(*_: object, **__: object) -> int:
        raise OSError(code, os.strerror(code))

    for name in ("readv", "open"):
        with monkeypatch.context() as patched:
            patched.setattr(os, name, fail)
            with pytest.raises(kind, match=what) as caught:
                read(os.fsencode(tmp_path / "a"))
        assert caught.value.where == str(tmp_path / "a")
