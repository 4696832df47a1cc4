"""Steps of an apply as bytes. This module needs only the standard library.

``Step.files`` stays behind: only the worker counts with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from incorta_provider.storage.apply.redo_journal import Step, Verb
from incorta_provider.storage.ssh.wire import pack_numbers, pack_paths, unpack_numbers, unpack_paths

_VERBS = tuple(Verb)
_WIDTH = 4


def pack_steps(steps: Sequence[Step]) -> tuple[bytes, bytes]:
    """Return steps as two bodies: texts and numbers."""
    texts = [text for step in steps for text in (step.path, step.source)]
    numbers = [(_VERBS.index(step.verb), step.mode, step.mtime_ns, step.added) for step in steps]
    return pack_paths(texts), pack_numbers(numbers)


def unpack_steps(texts: bytes, numbers: bytes) -> list[Step]:
    """Return the steps of two bodies from :func:`pack_steps`."""
    words = unpack_paths(texts)
    rows = unpack_numbers(numbers, _WIDTH)
    return [
        Step(_VERBS[verb], path, source, mode, mtime_ns, bool(added))
        for path, source, (verb, mode, mtime_ns, added) in zip(words[::2], words[1::2], rows, strict=True)
    ]
