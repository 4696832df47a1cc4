"""Bring one piece of a long file over a line: rsync brings whole files only, each over one line.

What reads or writes the piece at the node is a few lines of Python, which a session of the line starts. Behind the
piece comes the digest of what was read; a piece is there when what was written has the same. This module needs only the
standard library, because it also runs at nodes.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from incorta_provider.dr.manifest import parent_of
from incorta_provider.ssh.openssh import ALIAS
from incorta_provider.storage.folders import make_folders
from incorta_provider.storage.local.beneath import Beneath
from incorta_provider.storage.local.copy import write_all
from incorta_provider.storage.ssh.facts import OPEN
from incorta_provider.storage.ssh.rsync import NOISE, NOISY, PARTIAL, Ended, complaint_in

PIECE_BYTES = 16 << 20
"""A cut costs so much at most on each line; a session is started for each, which takes two round trips and some 30 ms
at the node."""

LONG_BYTES = 2 * PIECE_BYTES
"""From this many bytes on, a file is copied in pieces."""

_CHUNK = 256 * 1024
_DIGEST_BYTES = 32
_BROKEN = 12
"""How rsync says that a stream ended too early."""

_HELLO = b"incorta-dr piece\n"
"""Comes before a piece that is read at a node: what a login shell prints would come before it."""

_SEND = """
import hashlib, os, sys
root, path, begin, size = *map(bytes.fromhex, sys.argv[1:3]), *map(int, sys.argv[3:])
sha = hashlib.sha256()
try:
    folder = os.open(root, os.O_PATH | os.O_DIRECTORY)
    *above, name = path.split(b"/")
    for part in above:
        below = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        os.close(folder)
        folder = below
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    os.write(1, b"incorta-dr piece\\n")
    while size:
        data = os.pread(source, min(size, 262144), begin)
        if not data:
            sys.exit(23)
        sha.update(data)
        begin, size, view = begin + len(data), size - len(data), memoryview(data)
        while view:
            view = view[os.write(1, view):]
    os.write(1, sha.digest())
except OSError as error:
    sys.stderr.write("%s (%s)\\n" % (error.strerror, error.errno))
    sys.exit(23)
"""
"""At a source: send a piece and its digest, never through a link. What cannot be read ends it as it ends rsync."""

_TAKE = """
import hashlib, os, sys
root, path, begin, size = *map(bytes.fromhex, sys.argv[1:3]), *map(int, sys.argv[3:])
path = root + b"/" + path
sha = hashlib.sha256()
try:
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    while size:
        data = os.read(0, min(size, 262144))
        if not data:
            sys.exit(12)
        sha.update(data)
        size, view = size - len(data), memoryview(data)
        while view:
            count = os.pwrite(target, view, begin)
            begin, view = begin + count, view[count:]
    digest = b""
    while len(digest) < 32 and (data := os.read(0, 32 - len(digest))):
        digest += data
    if digest != sha.digest():
        sys.exit(12)
    os.fsync(target)
except OSError as error:
    sys.stderr.write("%s (%s)\\n" % (error.strerror, error.errno))
    sys.exit(11)
"""
"""At a target: write a piece, and tell whether it came as it was sent. What cannot be written ends it as rsync.

A piece is never sent again, and what makes the digest of a file is what lies there in the end. So a piece that came
must outlast a node that loses its power before the others have come.
"""


class Piece(NamedTuple):
    """A part of a file; ``path`` is relative to the root of the copy."""

    path: bytes
    begin: int
    size: int


def pieces_of(path: bytes, size: int) -> list[Piece]:
    """Return the pieces of a file of ``size`` bytes."""
    return [Piece(path, begin, min(PIECE_BYTES, size - begin)) for begin in range(0, size, PIECE_BYTES)]


def pull_piece(
    options: Path, python: str, root: bytes, into: bytes, piece: Piece, *, lasting: bool = False
) -> Generator[int, None, Ended]:
    """Bring a piece from below ``root`` at the node to below ``into`` here; yield how many bytes have come.

    :param options: for the OpenSSH client, to use a line.
    :param python: the node's.
    :param lasting: it must be on disk, because who remembers that it came is on another machine.
    :raises OSError: it cannot be written here.
    """
    path = into + b"/" + piece.path
    make_folders(parent_of(path))
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        words = _words(python, _SEND, root, piece)
        with _session(options, words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as session:
            ended = yield from session.take(target, piece)
        if lasting and not ended.status:
            os.fsync(target)
        return ended
    finally:
        os.close(target)


def push_piece(
    options: Path, python: str, fenced: Sequence[str], root: bytes, into: bytes, piece: Piece
) -> Generator[int, None, Ended]:
    """Send a piece from below ``root`` here to below ``into`` at the node; yield how many bytes have gone.

    :param fenced: words that start a program at the node behind a fence there.
    """
    try:
        with Beneath(root) as below:
            source = below.open(piece.path, OPEN)
    except OSError as error:
        return Ended(PARTIAL, f"{error.strerror} ({error.errno})")
    try:
        words = [*fenced, *_words(python, _TAKE, into, piece)]
        with _session(options, words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as session:
            return (yield from session.send(source, piece))
    finally:
        os.close(source)


def paced(running: Generator[int, None, Ended], rate: int | None) -> Generator[int, None, Ended]:
    """Go on with what moves bytes, no faster than ``rate`` bytes a second; None for no limit."""
    begun, moved = time.monotonic(), 0
    while True:
        try:
            size = next(running)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        yield size
        moved += size
        if rate:
            time.sleep(max(0.0, begun + moved / rate - time.monotonic()))


def _words(python: str, script: str, root: bytes, piece: Piece) -> list[str]:
    return [python, "-I", "-S", "-c", script, root.hex(), piece.path.hex(), str(piece.begin), str(piece.size)]


class _Session:
    """A program at the node, whose other end is here."""

    def __init__(self, process: subprocess.Popen[bytes], complaint: IO[bytes]) -> None:
        self._process = process
        self._complaint = complaint

    def take(self, target: int, piece: Piece) -> Generator[int, None, Ended]:
        """Write what comes to its place."""
        if not _HELLO.startswith(told := self._exactly(len(_HELLO))):
            self._process.kill()
            return Ended(NOISE, f"{NOISY} {told!r}")
        sha, place, end = hashlib.sha256(), piece.begin, piece.begin + piece.size
        while place < end and (data := self._read(min(_CHUNK, end - place))):
            sha.update(data)
            view = memoryview(data)
            while view:
                count = os.pwrite(target, view, place)
                place, view = place + count, view[count:]
            yield len(data)
        return self._ended(whole=self._exactly(_DIGEST_BYTES) == sha.digest())

    def send(self, source: int, piece: Piece) -> Generator[int, None, Ended]:
        """Send the piece and its digest."""
        sha, place, end = hashlib.sha256(), piece.begin, piece.begin + piece.size
        try:
            while place < end:
                data = os.pread(source, min(_CHUNK, end - place), place)
                if not data:
                    return Ended(PARTIAL, "the file is shorter than it was")
                sha.update(data)
                self._write(data)
                place += len(data)
                yield len(data)
            self._write(sha.digest())
        except BrokenPipeError:
            return self._ended(whole=False)
        return self._ended(whole=True)

    def _exactly(self, size: int) -> bytes:
        """Read so many bytes; fewer only at the end."""
        parts = b""
        while len(parts) < size and (data := self._read(size - len(parts))):
            parts += data
        return parts

    def _read(self, size: int) -> bytes:
        return b"" if self._process.stdout is None else os.read(self._process.stdout.fileno(), size)

    def _write(self, data: bytes) -> None:
        if self._process.stdin is not None:
            write_all(self._process.stdin.fileno(), memoryview(data))

    def _ended(self, *, whole: bool) -> Ended:
        """Wait for the end; it does not count when less came than should."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        status = self._process.wait()
        told = complaint_in(self._complaint)
        return Ended(_BROKEN, told or "a piece was cut off") if not (status or whole) else Ended(status, told)


@contextmanager
def _session(options: Path, words: Sequence[str], stdin: int, stdout: int) -> Iterator[_Session]:
    argv = ["ssh", "-F", str(options), ALIAS, shlex.join(words)]
    with (
        tempfile.TemporaryFile() as complaint,
        subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=complaint, bufsize=0) as process,
    ):
        try:
            yield _Session(process, complaint)
        finally:
            process.kill()
