"""What the OpenSSH client complains about, in words that a person can act upon."""

from __future__ import annotations

import re

from incorta_provider.exceptions import ConfigurationError, DrError

_FAULTS = (
    (
        "HOST IDENTIFICATION HAS CHANGED",
        "the host key CHANGED",
        "Do not continue before you know why: the node was reinstalled, or somebody intercepts the connection.",
    ),
    (
        "Host key verification failed",
        "the host key is not the pinned one",
        "Compare the fingerprint at the node itself, then pin the key in the connection.",
    ),
    (
        "UNPROTECTED PRIVATE KEY FILE",
        "others can read the private key, so OpenSSH does not use it",
        "Set the mode of the key file to 0600.",
    ),
    (
        r"Permission denied \([a-z]",
        "the node refuses the login",
        "Let authorized_keys at the node list the key, and allow commands with it.",
    ),
    (
        "no such identity",
        "the private key is not there",
        "Correct the path of the key.",
    ),
    (
        "ssh: not found",
        "there is no OpenSSH client",
        "Install openssh-client where rsync runs.",
    ),
    (
        "Failed to exec ssh",
        "there is no OpenSSH client",
        "Install openssh-client where rsync runs.",
    ),
)
"""What the message matches, what it means, and what to do. The order counts: a message may hold several."""


def login_fault(complaint: str, place: str) -> DrError | None:
    """Return the error for a login that trying again cannot mend; None for any other trouble."""
    for sign, what, fix in _FAULTS:
        if re.search(sign, complaint, re.IGNORECASE):
            return ConfigurationError(f"{what}: {complaint[-300:]}", where=place, fix=fix)
    return None
