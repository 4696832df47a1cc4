"""Makes stand-ins for images of a registry, where none can be reached: Debian by debootstrap, and the rest on top.

They take the certificates and the package index of this machine along, so they are for this machine alone.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.docker.engine import answers, docker

PROGRAMS = ("debootstrap", "tar")
DEBIAN = "bookworm"
"""What the official image of Airflow is made of too."""
_HERE = Path(__file__).parent / "standins"
_CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def make(target: str) -> str:
    """Make the stand-in ``airflow`` or ``postgres``, unless nothing changed since, and return its name."""
    debian = f"incorta-standin-debian:{DEBIAN}"
    if not answers("image", "inspect", debian):
        _import_debian(debian)
    name = f"incorta-standin-{target}"
    arguments = {"DEBIAN": debian, "AIRFLOW_VERSION": _airflow_version()}
    options = [option for key, value in arguments.items() for option in ("--build-arg", f"{key}={value}")]
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder))
        docker("build", "--tag", name, "--target", target, *options, folder)
    return name


def _import_debian(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["debootstrap", "--variant=minbase", DEBIAN, folder], check=True, stdout=subprocess.DEVNULL)
        packed = ["tar", "--create", "--one-file-system", "--directory", folder, "."]
        with subprocess.Popen(packed, stdout=subprocess.PIPE) as tar:
            subprocess.run(["docker", "import", "-", name], stdin=tar.stdout, check=True, stdout=subprocess.DEVNULL)
        assert tar.returncode == 0


def _fill(folder: Path) -> None:
    """Gather what the Dockerfile copies."""
    shutil.copytree(_HERE, folder, dirs_exist_ok=True)
    shutil.copy(_CONSTRAINTS, folder)
    shutil.copy(_CERTIFICATES, folder / "certificates.crt")
    index = _package_index()
    lines = ["[global]", "cert = /etc/certificates.crt", *([f"index-url = {index}"] if index else [])]
    (folder / "pip.conf").write_text("\n".join(lines) + "\n")


def _package_index() -> str:
    """Return the index that pip is told to use on this machine; empty for its own."""
    asked = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    return os.environ.get("PIP_INDEX_URL") or told.strip()


def _airflow_version() -> str:
    found = re.search(r"^apache-airflow==(\S+)$", _CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return found[1]
