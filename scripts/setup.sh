#!/bin/sh
# Set up everything that `make demo` and `make test` need: Debian packages and the Python environment in .venv.
#
# Needs only a Python 3.11 or later. Safe to repeat and to kill: a stamp is written last, and a second run that finds
# the stamp of the same inputs ends at once; without it .venv is made anew.
#
# PYTHON=/path/to/python3.12 chooses the interpreter.
set -eu

cd "$(dirname "$0")/.."
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" # a normal user of Debian does not have these, and mariadbd is there
export PATH

PACKAGES=lab/packages.txt
VENV=.venv
STAMP=$VENV/setup-done
POLICY=/usr/sbin/policy-rc.d
POLICY_MARK='# put here by incorta-provider scripts/setup.sh for the time of one apt run'

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# --- Python ----------------------------------------------------------------------------------------------------------

is_suitable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        if is_suitable "$candidate"; then command -v "$candidate" && return; fi
    done
    die "no Python from 3.11 to 3.14 was found (tried ${PYTHON:-python3 and python3.11 to python3.14}). Next: install one, or set PYTHON to it."
}

fingerprint() {
    { "$PY" -VV; cat pyproject.toml constraints.txt "$PACKAGES" scripts/setup.sh; } | cksum
}

install_python_packages() {
    say "making $VENV with $PY"
    "$PY" -m venv --clear "$VENV" # nothing of another Python, or of a set-up that was cut off, stays
    pip install --upgrade 'pip>=25.1' uv || die "pip cannot install uv. Next: see its message above; is a package index reachable?"
    if ! with_uv; then
        say "uv could not install the packages (it does not read pip's settings); trying with pip"
        pip install -c constraints.txt -e '.[lab]' --group dev ||
            die "the Python packages could not be installed. Next: correct what pip says above and run the same command again."
    fi
    fingerprint >"$STAMP.tmp"
    mv "$STAMP.tmp" "$STAMP"
}

pip() { "$VENV/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }

with_uv() {
    VIRTUAL_ENV="$PWD/$VENV" "$VENV/bin/uv" pip install --quiet -c constraints.txt -e '.[lab]' --group dev
}

# --- Debian packages -------------------------------------------------------------------------------------------------

is_here() {
    case $1 in
    /*) [ -e "$1" ] ;;
    python:Python.h) "$PY" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ;;
    python:*) "$PY" -c "import ${1#python:}" 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

missing_packages() {
    grep -Ev '^[[:space:]]*(#|$)' "$PACKAGES" | while read -r package items; do
        for item in $items; do
            if ! is_here "$item" </dev/null; then
                printf ' %s' "$package"
                break
            fi
        done
    done
}

# A package may start its service while it is installed. policy-rc.d is Debian's own switch against that: both
# invoke-rc.d and deb-systemd-invoke ask it (deb-systemd-invoke does not look at RUNLEVEL). It stands only while apt runs.
# One that is there already says no by itself as a rule (containers), and is the machine's owner's: it stays untouched.
forbid_services() {
    if [ ! -e "$POLICY" ]; then
        printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" | $ROOT tee "$POLICY" >/dev/null
        $ROOT chmod 755 "$POLICY"
    fi
}

allow_services() {
    if is_policy_ours; then $ROOT rm -f "$POLICY"; fi
}

is_policy_ours() { grep -qsF "$POLICY_MARK" "$POLICY"; }

find_root() {
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" = 0 ]; then
        ROOT=
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        ROOT="sudo -n"
    else
        return 1
    fi
}

install_packages() {
    find_root || die "these packages are missing and cannot be installed from here:$1
setup: Next: as root run   apt-get install --no-install-recommends$1   (or your system's like), then the same command again."
    say "installing$1"
    trap allow_services EXIT
    trap 'exit 130' INT TERM HUP
    forbid_services
    new_services=$(services_of "$1")
    as_root dpkg --configure -a # finishes what an apt run that was killed left half done
    as_root apt-get --quiet update
    # --no-remove: nothing that the machine has may go because of us
    as_root apt-get --quiet --yes --fix-broken --no-remove --no-install-recommends install $1
    keep_off "$new_services"
    allow_services
    trap - EXIT INT TERM HUP
}

# Runs a command as root, quietly; shows the end of what it said when it fails. Another apt or dpkg (of the machine's own
# updates, or left by a killed set-up: apt gives dpkg a session of its own) is waited for.
as_root() {
    output=$(mktemp)
    waited=0
    until $ROOT env LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@" </dev/null >"$output" 2>&1; do
        if [ "$waited" -lt 300 ] && grep -Eq 'locked by another process|Could not get lock' "$output"; then
            [ "$waited" -gt 0 ] || say "another apt or dpkg is at work; waiting for it"
            waited=$((waited + 2))
            sleep 2
            continue
        fi
        tail -n 30 "$output" >&2
        rm -f "$output"
        die "\`$*\` failed. Next: correct what it says above and run the same command again."
    done
    rm -f "$output"
}

# The system services that packages bring along, of those packages that are new here.
services_of() {
    for package in $1; do
        case $package in
        openssh-server) printf 'ssh.service ssh.socket ' ;;
        redis-server) printf 'redis-server.service ' ;;
        ceph-base) printf 'ceph-crash.service ceph.target ' ;;
        esac
    done
}

# The lab needs the programs, not a server at port 22 or 6379: a machine that had none does not get one at its next boot
# either.
keep_off() {
    command -v systemctl >/dev/null || return 0
    for service in $1; do
        if $ROOT systemctl --quiet disable "$service" 2>/dev/null; then
            say "$service is new here: it is switched off (systemctl enable $service turns it on)"
        fi
    done
}

# --- the whole -------------------------------------------------------------------------------------------------------

main() {
    PY=$(find_python)
    if is_policy_ours && find_root; then allow_services; fi # left by a run that was killed in the middle of apt
    if [ -e "$STAMP" ] && [ "$(fingerprint)" = "$(cat "$STAMP")" ] && "$VENV/bin/python" -c '' 2>/dev/null && [ -z "$(missing_packages)" ]; then
        return
    fi
    missing=$(missing_packages)
    [ -z "$missing" ] || install_packages "$missing"
    missing=$(missing_packages)
    [ -z "$missing" ] || die "still missing after the installation:$missing. Next: see what apt-get said above."
    install_python_packages
    say "done"
}

# One set-up at a time; the lock goes with the process, however it ends.
if command -v flock >/dev/null && [ "${SETUP_LOCKED:-}" != yes ]; then
    SETUP_LOCKED=yes exec flock scripts/setup.sh sh scripts/setup.sh
fi
main
