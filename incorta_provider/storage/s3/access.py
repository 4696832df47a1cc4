"""All that is needed to talk to one bucket, as plain data that a helper process is handed through a pipe."""

from __future__ import annotations

from dataclasses import dataclass, field

from incorta_provider.connection import ConnectionInfo


@dataclass(frozen=True, slots=True)
class Keys:
    """What signs a request.

    :param access: empty for an anonymous connection, which signs nothing.
    :param expires: seconds since 1970; None for keys that do not expire, or of which nobody knows when they do.
    :param renewable: the connection gives new ones, as an assumed role does.
    """

    access: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires: float | None = None
    renewable: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """One bucket as one identity reaches it.

    :param base: URL of the bucket, without a slash at its end: by the endpoint's path, or a host of its own.
    :param verify: check the server's certificate; a text is the file of the authorities to trust.
    :param certificate: file of the client's certificate, and of its key where that is another one.
    :param proxy: URL of the proxy; None for none.
    :param connect_seconds: how long to wait for a connection, and ``read_seconds`` for an answer.
    """

    info: ConnectionInfo
    base: str
    region: str
    keys: Keys
    verify: bool | str = True
    certificate: tuple[str, ...] = ()
    proxy: str | None = None
    connect_seconds: float = 10.0
    read_seconds: float = 60.0

    def is_same_identity(self, other: Access) -> bool:
        """Tell whether both are one account at one endpoint, so that the server can copy by itself."""
        mine, theirs = self.info, other.info
        return (mine.login, mine.password, dict(mine.extra)) == (theirs.login, theirs.password, dict(theirs.extra))
