"""From the SDK's errors, met on the way to the keys of a connection, to the error family.

A service that gives keys (STS, the metadata of a machine, an identity provider) and does not answer, or asks for less,
may do so a moment later. What it refuses is a setting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError, DrError, TransientError
from incorta_provider.storage.s3.faults import TRANSIENT

if TYPE_CHECKING:
    from botocore.exceptions import ClientError


class NoKeysError(ValueError):
    """Neither the connection nor the environment of the worker has keys."""


def kinds() -> tuple[type[Exception], ...]:
    """Return what the SDK and the amazon provider raise for a connection that they cannot use now, or ever.

    ``OSError`` is that of a token's file, and of the identity provider's web page; ``RuntimeError`` the provider's own.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - heavy

    return BotoCoreError, ClientError, ValueError, TypeError, OSError, RuntimeError


def unusable(info: ConnectionInfo, error: Exception) -> DrError:
    """Return what to raise."""
    where = f"connection {info.conn_id}"
    if is_passing(error) or (error.__context__ is not None and is_passing(error.__context__)):
        return TransientError(
            f"nobody gives keys for the connection now: {error}",
            where=where,
            fix="Check that this worker reaches what gives them (STS, the machine's metadata), then retry.",
        )
    return ConfigurationError(
        f"the connection gives no access: {error}",
        where=where,
        fix="Correct it under Admin > Connections: keys, role_arn, profile_name, region_name, endpoint_url.",
    )


def is_passing(error: BaseException) -> bool:
    """Tell whether it may work a moment later."""
    import requests  # noqa: PLC0415 - heavy
    from botocore import exceptions as sdk  # noqa: PLC0415 - heavy

    if isinstance(error, sdk.ClientError):
        return _is_busy(error)
    passing = (sdk.ConnectionError, sdk.HTTPClientError, sdk.MetadataRetrievalError, requests.ConnectionError)
    return isinstance(error, (*passing, requests.Timeout, ConnectionError, TimeoutError)) and not isinstance(
        error, sdk.SSLError | requests.exceptions.SSLError
    )


def _is_busy(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or error.response.get("Error", {}).get("Code", "") in TRANSIENT
