"""The passwords of one lab: drawn once at random, kept in a file of mode 0600."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field

from lab.files import write
from lab.layout import SITES, Lab


@dataclass(frozen=True, slots=True)
class SitePasswords:
    """What one site's accounts use. None of it shows in ``repr``."""

    mysql_root: str = field(repr=False)
    mysql_incorta: str = field(repr=False)
    mysql_dr: str = field(repr=False)
    cmc_admin: str = field(repr=False)
    analytics_admin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Passwords:
    """Every secret of the lab.

    :param approval_key: the HMAC key that seals approvals.
    """

    sites: dict[str, SitePasswords] = field(repr=False)
    approval_key: str = field(repr=False)


def passwords(lab: Lab) -> Passwords:
    """Return the lab's passwords; draw and write them when there are none yet."""
    if lab.passwords_file.exists():
        document = json.loads(lab.passwords_file.read_text(encoding="utf-8"))
        sites = {name: SitePasswords(**fields) for name, fields in document["sites"].items()}
        return Passwords(sites, document["approval_key"])
    drawn = Passwords({name: _draw() for name in SITES}, secrets.token_hex(32))
    write(lab.passwords_file, json.dumps(asdict(drawn), indent=2), mode=0o600)
    return drawn


def _draw() -> SitePasswords:
    return SitePasswords(*(secrets.token_urlsafe(18) for _ in range(5)))
