"""The last line of defence against errors that are not ours, before a task or a command ends.

A disk that is full or a file that somebody edited can show up at any read or write. Whoever runs the task needs to know
what, where and what next, and whether trying again can help.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from incorta_provider.exceptions import DrError, IntegrityError, PreconditionError, TransientError

_FOR_A_PERSON = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EISDIR,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
        errno.EXDEV,
    }
)
"""What no repetition cures. Anything else, such as an I/O error or a mount that hangs, may pass by itself."""


@contextmanager
def own_errors() -> Iterator[None]:
    """Raise an operating system's error, or that of a damaged record, as one of our family.

    A broken pipe is left alone: it says that the reader of our output went away.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _from_system(error) from error
    except ValidationError as error:
        raise IntegrityError(
            f"a record of type {error.title} is not as it was written: {error.error_count()} fault(s) in it",
            where="catalog",
            fix="Restore the file from a backup of the catalog; the log shows where it was read.",
        ) from error


def _from_system(error: OSError) -> DrError:
    what, where = error.strerror or str(error) or type(error).__name__, str(error.filename or "")
    if error.errno in _FOR_A_PERSON:
        return PreconditionError(what, where=where, fix="Fix that, then clear the task.")
    return TransientError(what, where=where, fix="Check the mount and the network; trying again may help.")
