"""From an operating system's error to the error family, told apart by which end it concerns.

At the source, a file that may not be read makes the recovery point void. At the target, a full disk or missing rights
need a person. Everything else (a network file system that hangs, an I/O error) may pass by itself.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from incorta_provider.dr.manifest import shown
from incorta_provider.exceptions import ConfigurationError, DrError, IntegrityError, PreconditionError, TransientError

GONE = frozenset({errno.ENOENT, errno.ENOTDIR})
"""What opening a file answers when it was removed meanwhile. ESTALE is not among them: NFS says so of what was removed,
but also of a whole export that is gone for a moment, and only another look by the path tells which."""

NO_FILE = frozenset({errno.ELOOP, errno.ENXIO})
"""What opening a regular file answers when it has become a link or a socket."""

_REFUSED = frozenset({errno.EACCES, errno.EPERM})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def source_fault(error: OSError, path: bytes, label: str) -> DrError:
    """Return what to raise when ``path`` of the source cannot be read."""
    if error.errno in _REFUSED:
        return IntegrityError(
            f"cannot read {shown(path)}: {error.strerror}",
            where=label,
            fix="Give the account of the worker the right to read it, or exclude it in the topology.",
        )
    if error.errno == errno.ENAMETOOLONG:
        return IntegrityError(
            f"the path is too long: {shown(path)}", where=label, fix="Shorten it, or exclude it in the topology."
        )
    return TransientError(
        f"reading {shown(path) or 'the root'} failed: {error.strerror}", where=label, fix="Check the mount, then retry."
    )


def reading_fault(error: OSError, where: str) -> DrError:
    """Return what to raise when something in the catalog or the live replica cannot be read."""
    if error.errno in _REFUSED:
        return ConfigurationError(
            f"cannot read: {error.strerror}", where=where, fix="Give the account of the worker the right to read it."
        )
    return TransientError(f"reading failed: {error.strerror}", where=where, fix="Check the mount, then retry.")


def target_fault(error: OSError, where: str) -> DrError:
    """Return what to raise when the catalog or the live replica cannot be written."""
    if error.errno in _FULL:
        return PreconditionError(
            f"no room left: {error.strerror}",
            where=where,
            fix="Free space, or inodes where `df -i` shows none, then retry.",
        )
    if error.errno in _REFUSED or error.errno == errno.EROFS:
        return ConfigurationError(
            f"cannot write: {error.strerror}",
            where=where,
            fix="Give the account of the worker the right to write there, and mount it read-write.",
        )
    if error.errno == errno.EXDEV:
        return ConfigurationError(
            "the catalog and the live replica are on different mounts, so no file can be moved between them",
            where=where,
            fix="Put the catalog beside the replica, on the same mount.",
        )
    if error.errno == errno.ENAMETOOLONG:
        return IntegrityError(
            f"a path is too long at the target: {error.strerror}",
            where=where,
            fix="Shorten the path of the catalog, or exclude the file in the topology.",
        )
    return TransientError(f"writing failed: {error.strerror or error}", where=where, fix="Check the mount, then retry.")


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn what the operating system refuses at the target, in the block, into the error that says what to do."""
    try:
        yield
    except OSError as error:
        raise target_fault(error, where) from None
