"""From an AWS connection to the access to a bucket, or to another service, by the amazon provider's own machinery.

All that its connection can say is honoured: keys, session token, profile, assumed roles with external id, SAML or web
identity, endpoint, region, certificates, proxies. It needs no metadata database. This is the one module below the hooks
that imports Airflow: to read such a connection in another way would be to read it wrongly. It does so when it is
called, so that helper processes, which get the keys from their parent, pay for it only once keys must be renewed.

:raises ConfigurationError: the connection cannot be used: a role that may not be assumed, a profile that is not there.
:raises TransientError: what gives the keys does not answer now.
"""

from __future__ import annotations

import json
import logging
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import TransientError
from incorta_provider.storage.s3.access import Access, Keys
from incorta_provider.storage.s3.sdk_faults import NoKeysError, kinds, unusable

_provider_log = logging.getLogger(f"{__name__}.provider")
_provider_log.setLevel(logging.WARNING)
"""What the provider has to say of each connection: outside of a task it would go to standard output, as results do."""

_clients: dict[tuple[str, ...], Any] = {}
"""The SDK's clients by the facts of their connections: one takes 0.15 s, and source and target often share it."""

_asking = threading.Lock()

if TYPE_CHECKING:
    from airflow.providers.amazon.aws.hooks.base_aws import BaseSessionFactory


def open_access(info: ConnectionInfo, bucket: str) -> Access:
    """Return how the connection reaches a bucket; the server is asked only for the keys of a role."""
    try:
        return _access(info, bucket)
    except kinds() as error:
        raise unusable(info, error) from None


def facts_of(info: ConnectionInfo) -> tuple[str, ...]:
    """Return all that a connection says, to tell it from others."""
    return info.conn_id, info.login, info.password, json.dumps(dict(info.extra), sort_keys=True, default=str)


def renewed(info: ConnectionInfo) -> Keys:
    """Return fresh keys of a connection that gave some before, so that none at all means: none now."""
    try:
        return _keys(_factory(info))
    except NoKeysError as error:
        raise TransientError(
            f"what gave this worker its keys gives none now: {error}",
            where=f"connection {info.conn_id}",
            fix="Check that this worker reaches the machine's metadata, or whatever gives its keys, then retry.",
        ) from None
    except kinds() as error:
        raise unusable(info, error) from None


def open_client(info: ConnectionInfo, service: str) -> Any:
    """Return the SDK's client of another service, such as ``route53``, as the connection reaches it.

    It gives up after a minute or so, unless the connection's ``config_kwargs`` say otherwise.
    """
    from botocore.config import Config  # noqa: PLC0415 - heavy

    patience = Config(connect_timeout=10, read_timeout=20, retries={"total_max_attempts": 3, "mode": "standard"})
    try:
        factory = _factory(info)
        own = factory.conn.botocore_config
        return factory.create_session().client(
            service,
            endpoint_url=factory.conn.get_service_endpoint_url(service),
            config=patience.merge(own) if own else patience,
            verify=_verify(factory),
        )
    except kinds() as error:
        raise unusable(info, error) from None


def _access(info: ConnectionInfo, bucket: str) -> Access:
    factory = _factory(info)
    with _asking:
        facts = facts_of(info)
        if facts not in _clients:
            _clients[facts] = _client(factory)
        client = _clients[facts]
        base = _address(client, bucket)
    config = client.meta.config
    certificate = config.client_cert or ()
    return Access(
        info,
        base,
        client.meta.region_name or "us-east-1",
        _keys(factory),
        verify=_verify(factory),
        certificate=(certificate,) if isinstance(certificate, str) else tuple(certificate),
        proxy=_proxy(base, config.proxies),
        connect_seconds=config.connect_timeout,
        read_seconds=config.read_timeout,
    )


def _factory(info: ConnectionInfo) -> BaseSessionFactory:
    from airflow.providers.amazon.aws.hooks.base_aws import BaseSessionFactory  # noqa: PLC0415 - see the module
    from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper  # noqa: PLC0415

    class Wrapper(AwsConnectionWrapper):
        log = cast("Any", _provider_log)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it has to say of a connection is said where the connection is made
        wrapper = Wrapper.from_connection_metadata(
            conn_id=info.conn_id,
            login=info.login or None,
            password=info.password or None,
            extra=dict(info.extra),
        )
    return BaseSessionFactory(conn=wrapper)


def _client(factory: BaseSessionFactory) -> Any:
    """Return the SDK's client, which only says where a bucket is, and sends nothing.

    Its keys are stand-ins, so that an anonymous connection gets an address too.
    """
    from botocore.config import Config  # noqa: PLC0415 - heavy

    connection = factory.conn
    signed = Config(signature_version="s3v4")
    config = connection.botocore_config.merge(signed) if connection.botocore_config else signed
    return factory.create_session().client(
        "s3",
        endpoint_url=connection.get_service_endpoint_url("s3"),
        config=config,
        aws_access_key_id="none",
        aws_secret_access_key="none",  # noqa: S106 - a stand-in
        verify=connection.verify,
    )


def _address(client: Any, bucket: str) -> str:
    """Return the URL of a bucket as the SDK would ask it, by an answer that comes before anything is sent.

    It knows of partitions, dual stacks and styles of addressing; a signed URL of its own would leave out the region.
    """
    from botocore.awsrequest import AWSResponse  # noqa: PLC0415 - heavy

    asked: list[str] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        asked.append(request.url)
        return AWSResponse(request.url, 200, {}, _Nothing())

    client.meta.events.register("before-send.s3", answer)
    try:
        client.head_bucket(Bucket=bucket)
    finally:
        client.meta.events.unregister("before-send.s3", answer)
    return asked[0].split("?")[0].rstrip("/")


class _Nothing:
    """The body of an answer that has none."""

    def stream(self) -> Iterator[bytes]:
        return iter(())


def _keys(factory: BaseSessionFactory) -> Keys:
    from botocore import UNSIGNED  # noqa: PLC0415 - heavy

    config = factory.config
    if config is not None and config.signature_version is UNSIGNED:
        return Keys("", "")
    credentials = factory.create_session().get_credentials()
    if credentials is None:
        raise NoKeysError("no keys in the connection, and none in the environment of the worker")
    frozen = credentials.get_frozen_credentials()
    expires = getattr(credentials, "_expiry_time", None)
    return Keys(
        frozen.access_key,
        frozen.secret_key,
        frozen.token,
        expires=expires.timestamp() if expires else None,
        renewable=hasattr(credentials, "refresh_needed"),
    )


def _verify(factory: BaseSessionFactory) -> bool | str:
    chosen = factory.conn.verify
    if chosen is None:
        chosen = factory.basic_session._session.get_config_variable("ca_bundle")  # there is no other way to it
    return True if chosen is None else cast("bool | str", chosen)


def _proxy(base: str, configured: dict[str, str] | None) -> str | None:
    from botocore.utils import get_environ_proxies  # noqa: PLC0415 - heavy

    proxies = configured or get_environ_proxies(base)
    scheme = urlsplit(base).scheme
    proxy = next((proxies[name] for name in (scheme, "all") if proxies.get(name)), None)
    if proxy is None:
        return None
    kind, found, _ = proxy.partition("://")
    if found and kind != "http":
        raise ValueError(f"a proxy that is spoken to by {kind} is not supported, only one by http")
    return proxy if found else f"http://{proxy}"
