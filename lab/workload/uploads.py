"""Files that people upload into ``data/``: their names are what people type.

Most are known to the metadata. One kind is not, because its name is no UTF-8: such files come from old Windows machines
by way of the shared storage, and a copy must have them all the same.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab.incorta.database import Session
from lab.incorta.storage import upload_folder

NAMES: tuple[bytes, ...] = (
    b"Q1 report (final).csv",
    "Umsätze München, Übersicht.csv".encode(),
    b'it\'s "quoted" & $HOME; `id`.csv',
    "東京 ✈ 🚀.csv".encode(),
    "e\u0301te\u0301 (decomposed).csv".encode(),
    b"-rf.csv",
    b"back\\slash % # ?.csv",
    b" space at both ends .csv ",
    b"two\nlines.csv",
    b"latin1 \xe9t\xe9.csv",
)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file to upload.

    :param path: below the storage root, as bytes.
    """

    path: bytes
    content: bytes

    @property
    def text_path(self) -> str | None:
        """Return the path as the metadata can keep it, or None when it is no UTF-8."""
        try:
            return self.path.decode("utf-8")
        except UnicodeDecodeError:
            return None


def plan_upload(tenant: str, number: int) -> Upload:
    """Return the ``number``-th upload: a name from the list, in a folder of its own."""
    folder = os.fsencode(str(upload_folder(tenant)))
    name = NAMES[number % len(NAMES)]
    lines = "".join(f"{number},{line},{line * number}\n" for line in range(200))
    return Upload(b"/".join((folder, b"upload %d" % number, name)), f"upload,line,product\n{lines}".encode())


def store(upload: Upload, storage: Path, session: Session) -> None:
    """Write the file, then make it known: the metadata never name a file that is not there."""
    target = Path(os.fsdecode(os.path.join(os.fsencode(storage), upload.path)))  # noqa: PTH118 - names are bytes
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(upload.content)
    if upload.text_path is None:
        return
    digest = hashlib.sha256(upload.content).hexdigest()
    with session.cursor() as cursor:
        cursor.execute(
            "REPLACE INTO DATA_FILE (PATH, SIZE, SHA256, UPLOADED_AT) VALUES (%s, %s, %s, %s)",
            (upload.text_path, len(upload.content), digest, datetime.now(UTC).replace(tzinfo=None)),
        )
    session.commit()
