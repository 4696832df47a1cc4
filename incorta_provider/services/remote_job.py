"""Run a command at a node so that a connection that drops neither ends it, nor starts it twice, nor hides its result.

The command runs in a session of its own, and writes its output and its exit status to a folder at the node. While it
runs it holds a lock (flock(1)) that the kernel takes back when it ends, however it ends. So whoever asks again, waits
for the copy that runs. The result belongs to the run that started it (``key``): the same run gets it, and forgets it
there; another run starts the command anew. Who started it holds the lock too, until it has the result: otherwise one of
several that wait could put its own in the place of that.

:raises TransientError: the command runs longer than it may, or it was killed; or see
    :mod:`incorta_provider.ssh.shell`.
:raises ConfigurationError: the node lacks flock(1) or setsid(1), or the folder cannot be written.
"""

from __future__ import annotations

from collections.abc import Sequence

from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.ssh.shell import Completed, NodeShell

_MARGIN = 15.0
"""Seconds that the node's own limit ends before ours, so that its answer is heard."""

_SCRIPT = r"""
folder=$1 key=$2 seconds=$3; shift 3
(umask 077; mkdir -p "$folder") && cd "$folder" || exit 1
command -v flock >/dev/null && command -v setsid >/dev/null || { echo "flock and setsid are needed" >&2; exit 1; }
exec 9>lock
flock -w "$seconds" 9 || { echo running; exit 0; }
if [ "$(cat key 2>/dev/null)" != "$key" ] || [ ! -e status ]; then
    rm -f status out err  # what was left behind may still write to those of before
    printf %s "$key" >key
    exec 8>command
    flock 8
    setsid sh -c '"$@" </dev/null >out 2>err 8>&- 9>&-; echo $? >status.new; mv status.new status' sh "$@" \
        </dev/null >/dev/null 2>&1 &
    exec 8>&-
    exec 8>command
    flock -w "$seconds" 8 || { echo running; exit 0; }
fi
[ -e status ] || { echo killed; exit 0; }
cat status out
cat err >&2
"""

_FORGET = """
cd "$1" && exec 9>lock && flock -n 9 || exit 0
[ "$(cat key 2>/dev/null)" != "$2" ] || rm -f key
"""
"""Whoever has the lock makes the key its own anyway."""


def run_once(shell: NodeShell, folder: str, key: str, argv: Sequence[str], timeout: float) -> Completed:
    """Run ``argv``, or wait for the copy of it that runs, and return its real exit status.

    :param folder: where the node keeps the command's lock and result; one folder for each command.
    :param key: the run that asks.
    :param timeout: seconds that the command may take.
    """
    words = ["sh", "-c", _SCRIPT, "sh", folder, key, f"{timeout:.0f}", *argv]
    answer = shell.run(words, timeout=2 * timeout + _MARGIN)
    if answer.status != 0:
        raise ConfigurationError(
            f"cannot run {argv[0]} as a job: {answer.stderr.strip()[-500:]}",
            where=f"{shell.place}:{folder}",
            fix="Let the connection's account write there, and install util-linux.",
        )
    status, _, stdout = answer.stdout.partition("\n")
    if not status.isdecimal():
        raise TransientError(
            f"{argv[0]} is still running" if status == "running" else f"{argv[0]} was killed before it ended",
            where=shell.place,
            fix="Look at it at the node. Trying again waits for it, and starts it only if it does not run.",
        )
    shell.run(["sh", "-c", _FORGET, "sh", folder, key])
    return Completed(int(status), stdout, answer.stderr)
