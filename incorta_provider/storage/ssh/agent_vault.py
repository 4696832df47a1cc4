"""What the agent does at a target: the volume of the replica and its vault, and the staging of what comes.

Each piece of work takes the head and the body of a request, and yields the messages of its answer. What writes while
others might do so too goes through a fence, see :mod:`incorta_provider.storage.ssh.fence`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from incorta_provider.dr.manifest import parent_of
from incorta_provider.exceptions import LostWritesError
from incorta_provider.ssh.openssh import Login, write_options
from incorta_provider.storage.copying.staged_index import from_text
from incorta_provider.storage.faults import target_fault, translated
from incorta_provider.storage.folders import make_folders, remove_tree
from incorta_provider.storage.local.volume import LocalVolume
from incorta_provider.storage.records.json_file import read_json, write_json
from incorta_provider.storage.ssh import marker, pieces, rsync
from incorta_provider.storage.ssh.fence import inside, take_over
from incorta_provider.storage.ssh.lines import Lines
from incorta_provider.storage.ssh.packed import write_packed
from incorta_provider.storage.ssh.received import adopt
from incorta_provider.storage.ssh.rsync_commands import Handling, Manner, pull_command
from incorta_provider.storage.ssh.steps import unpack_steps
from incorta_provider.storage.ssh.wire import (
    Message,
    pack_entries,
    pack_paths,
    pack_texts,
    unpack_contents,
    unpack_entries,
    unpack_paths,
)

_ENTRIES = 2_000
_NOBODY = "nobody"
_FORGET_SECONDS = 7 * 24 * 3600.0


def make(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Make the vault."""
    try:
        marker.make_vault(_vault(head), _root(head), head["owner"])
    except OSError as error:
        raise target_fault(error, head["vault"]) from None
    yield from ()


def owner(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Tell whose vault it is."""
    try:
        yield Message({"owner": marker.read_owner(_vault(head))})
    except OSError as error:
        raise target_fault(error, head["vault"]) from None


def prepare(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Make a fence, and end what others before had begun behind theirs, where this worker is to be alone."""
    fence, incoming = _bytes(head, "fence"), _bytes(head, "incoming")
    try:
        make_folders(parent_of(fence))
        make_folders(parent_of(incoming))
        take_over(os.fsdecode(fence), head["token"])
        for other in _others(fence, _bytes(head, "alone")) if head["alone"] else ():
            take_over(os.fsdecode(other), _NOBODY)
            remove_tree(parent_of(incoming) + b"/" + os.path.basename(other))  # noqa: PTH119 - bytes
            os.unlink(other)  # noqa: PTH108 - bytes
        remove_tree(incoming)
        make_folders(incoming)
    except OSError as error:
        raise target_fault(error, head["vault"]) from None
    yield Message({"python": sys.executable, "program": sys.path[0]})


def _others(fence: bytes, prefix: bytes) -> list[bytes]:
    """Return the other fences whose names begin so, and all that nobody can need any more."""
    found = []
    with os.scandir(parent_of(fence)) as entries:
        for entry in entries:
            is_old = time.time() - entry.stat(follow_symlinks=False).st_mtime > _FORGET_SECONDS
            if entry.path != fence and (entry.name.startswith(prefix) or is_old):
                found.append(entry.path)
    return found


def pull(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Bring files from another node with a key of this one."""
    places = _bytes(head, "source"), _bytes(head, "incoming")
    manner = Manner(Handling(head["handling"]), head["rate"])
    with _behind(head) as fence, _lines_to(head["login"]).line() as line:
        os.set_inheritable(fence, True)
        command = pull_command(line.options, *places, manner)
        ended = line.refusal or line.judged((yield from _moved(rsync.start(command, unpack_paths(body), (fence,)))))
    yield Message({"status": ended.status, "complaint": ended.complaint})


def pull_piece(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Bring a piece of one file from another node."""
    (path,) = unpack_paths(body)
    piece = pieces.Piece(path, head["begin"], head["size"])
    places = _bytes(head, "source"), _bytes(head, "incoming")
    with _behind(head), _lines_to(head["login"]).line() as line:
        running = pieces.pull_piece(line.options, head["python"], *places, piece, lasting=True)
        ended = line.refusal or line.judged((yield from _moved(pieces.paced(running, head["rate"]))))
    yield Message({"status": ended.status, "complaint": ended.complaint})


@contextmanager
def _behind(head: dict[str, Any]) -> Iterator[int]:
    """Write behind the fence that a request names; what the vault refuses there is told as such."""
    with translated(head["fence"]), inside(head["fence"], head["token"]) as fence:
        yield fence


def _lines_to(told: dict[str, Any]) -> Lines:
    """Return the lines to another node; an agent does one thing at a time, so there is one."""
    login = Login(**{**told, "host_keys": tuple(told["host_keys"])})
    return _LINES.setdefault(login, Lines(partial(write_options, login=login)))


_LINES: dict[Login, Lines] = {}


def end_lines() -> None:
    """Log out from other nodes."""
    for lines in _LINES.values():
        lines.close()


def _moved(running: Generator[int, None, rsync.Ended]) -> Generator[Message, None, rsync.Ended]:
    """Yield how an rsync goes on, and return how it ended."""
    while True:
        try:
            yield Message({"moved": next(running)})
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def take_in(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Take what was brought into its staging area."""
    incoming = _bytes(head, "incoming")
    with _behind(head):
        digests = adopt(incoming, _bytes(head, "area"), unpack_entries(body))
        remove_tree(incoming)
    yield Message({}, pack_texts(digests))


def take_packed(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Take files that come with this request into their staging area."""
    entries, incoming = unpack_entries(body[: head["entries"]]), _bytes(head, "incoming")
    with _behind(head):
        remove_tree(incoming)
        write_packed(incoming, [entry.path for entry in entries], unpack_contents(body[head["entries"] :]))
        digests = adopt(incoming, _bytes(head, "area"), entries)
        remove_tree(incoming)
    yield Message({}, pack_texts(digests))


def live_root(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Look at the live root."""
    found = _volume(head).live_root()
    facts = {"there": found.there, "makeable": found.makeable, "one_file_system": found.one_file_system}
    yield Message(facts, pack_paths(found.names))


def make_live_root(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Make the live root."""
    _volume(head).make_live_root()
    yield from ()


def room(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Ask how much fits."""
    found = _volume(head).room()
    yield Message({"size": found.size, "files": found.files})


def areas(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Name folders in the vault."""
    yield Message({}, pack_paths(_volume(head).areas(head["pattern"])))


def touched(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Name the files of an area that are not as they are recorded."""
    yield Message({}, pack_paths(_volume(head).touched(_bytes(head, "area"), unpack_entries(body))))


def find(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Find where bytes lie in the vault."""
    own, *others = (from_text(text) for text in head["areas"])
    yield Message({}, pack_texts(_volume(head).find(own, others, unpack_entries(body))))


def do(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Do steps of an apply."""
    steps = unpack_steps(body[: head["texts"]], body[head["texts"] :])
    with _behind(head):
        yield Message({}, pack_paths(_volume(head).do(steps, _bytes(head, "history"))))


def finish(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Set time and mode of folders of the replica."""
    with _behind(head):
        _volume(head).finish(unpack_entries(body))
    yield from ()


def sync(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Bring everything to disk.

    The kernel tells only once that a disk refused a part, and the answer may be lost on its way. So it is written down,
    and told again until a worker says that it has noted it.
    """
    refused = _refused(head)
    with translated(head["vault"]):
        told = read_json(refused)
    if told is not None:
        what, where, fix = told
        raise LostWritesError(what, where=where, fix=fix)
    try:
        _volume(head).sync()
    except LostWritesError as error:
        with suppress(OSError):
            write_json(refused, [error.what, error.where, error.fix])
        raise
    yield from ()


def heard(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Forget what a disk refused."""
    with translated(head["vault"]):
        _refused(head).unlink(missing_ok=True)
    yield from ()


def _refused(head: dict[str, Any]) -> Path:
    return _vault(head) / "refused.json"


def kept(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """List what an area keeps."""
    waiting = []
    for entry in _volume(head).kept(_bytes(head, "area")):
        waiting.append(entry)
        if len(waiting) == _ENTRIES:
            yield Message({}, pack_entries(waiting))
            waiting = []
    yield Message({}, pack_entries(waiting))


def forget(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Delete files of the vault."""
    _volume(head).forget(unpack_paths(body))
    yield from ()


def remove(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Remove an area of the vault."""
    _volume(head).remove(_bytes(head, "area"))
    yield from ()


def _bytes(head: dict[str, Any], name: str) -> bytes:
    return from_text(head[name])


def _vault(head: dict[str, Any]) -> Path:
    return Path(os.fsdecode(_bytes(head, "vault")))


def _root(head: dict[str, Any]) -> Path:
    return Path(os.fsdecode(_bytes(head, "root")))


def _volume(head: dict[str, Any]) -> LocalVolume:
    return LocalVolume(_root(head), _vault(head))


VAULT_WORK = {
    "make": make,
    "owner": owner,
    "prepare": prepare,
    "pull": pull,
    "pull_piece": pull_piece,
    "take_in": take_in,
    "take_packed": take_packed,
    "live_root": live_root,
    "make_live_root": make_live_root,
    "room": room,
    "areas": areas,
    "touched": touched,
    "find": find,
    "do": do,
    "finish": finish,
    "sync": sync,
    "heard": heard,
    "kept": kept,
    "forget": forget,
    "remove": remove,
}
