"""Disks that are small, full, read-only, or that lose what was written."""

from __future__ import annotations

import ctypes
import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from incorta_provider.storage import durable


@contextmanager
def mounted(at: Path, *options: str) -> Iterator[Path]:
    """Mount a small file system in memory and lend it."""
    at.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options) or "rw", "tmpfs", str(at)], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def remount(at: Path, *options: str) -> None:
    """Change a file system that is mounted."""
    subprocess.run(["mount", "-o", ",".join(("remount", *options)), str(at)], check=True)


def refuse_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next flush of a file system tell of a write that failed; as the kernel does, only that one."""
    codes = [errno.EIO]

    def syncfs(_: int) -> int:
        if not codes:
            return 0
        ctypes.set_errno(codes.pop())
        return -1

    monkeypatch.setattr(durable, "_libc", SimpleNamespace(syncfs=syncfs))
