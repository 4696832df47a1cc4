"""Tell people by a webhook, as the chat systems have them: one JSON object with the key ``text``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.sdk import BaseNotifier

from incorta_provider.exceptions import DrError, TransientError
from incorta_provider.hooks.connections import connection_info
from incorta_provider.services.web import WebClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from incorta_provider.connection import ConnectionInfo

log = logging.getLogger(__name__)

HTTPS_PORT = 443
ACCEPTED = range(200, 300)


class WebhookNotifier(BaseNotifier):
    """Send one message to the webhook of a connection.

    :param notify_conn_id: connection of type ``http``: host, port, extra ``scheme`` (``https``). Its password is the
        path of the webhook: who knows it, may write there.
    :param text: the message (templated).
    """

    template_fields: Sequence[str] = ("notify_conn_id", "text")

    def __init__(self, *, notify_conn_id: str, text: str) -> None:
        super().__init__()
        self.notify_conn_id = notify_conn_id
        self.text = text

    def notify(self, context: Context) -> None:
        """Send it. One that does not go out is an error in the log, and no fault of the task."""
        try:
            self._send(connection_info(self.notify_conn_id))
        except DrError as error:
            log.error("nobody was told: %s", error)

    def _send(self, info: ConnectionInfo) -> None:
        path = info.password.lstrip("/")
        try:
            with WebClient(info, HTTPS_PORT) as client:
                status = client.post(f"/{path}", document={"text": self.text}).status
        except TransientError as error:
            what = error.what.replace(path, "***") if path else error.what
            raise TransientError(what, where=error.where, fix=error.fix) from None
        if status not in ACCEPTED:
            log.error("nobody was told: the webhook of %s answered HTTP %d", self.notify_conn_id, status)
