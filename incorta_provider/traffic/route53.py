"""A record in Route 53, by the SDK, through a connection as the amazon provider has it.

A record with an alias or a routing policy is not ours to change: its undo could not be one.

:raises ConfigurationError: no right, no such zone, a record of another kind, or values that Route 53 refuses.
:raises TransientError: no answer, throttling, or a change before this one that is not through.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any, cast

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.traffic import Route53Record, State
from incorta_provider.exceptions import ConfigurationError, DrError, TransientError
from incorta_provider.storage.s3.session import open_client
from incorta_provider.traffic.doer import Doer

MAY_PASS = frozenset(
    {"Throttling", "ThrottlingException", "PriorRequestNotComplete", "ServiceUnavailable", "InternalError"}
)
"""Codes of Route 53's errors after which trying again is right (its API reference, common errors)."""

POLL = 1.0


class Route53(Doer):
    """One record of one hosted zone."""

    def __init__(self, record: Route53Record, info: ConnectionInfo) -> None:
        place = f"hosted zone {record.zone}, by connection {info.conn_id}"
        super().__init__(record.name, place, record.seconds)
        self._record = record
        self._info = info

    @cached_property
    def _client(self) -> Any:
        return open_client(self._info, "route53")

    def read(self) -> State | None:
        """Return TTL and values of the record; None when there is none."""
        found = self._found()
        if found is None:
            return None
        return {"ttl": int(found["TTL"]), "values": sorted(each["Value"] for each in found["ResourceRecords"])}

    def write(self, state: State | None) -> None:
        """Set the record, or delete it, and wait until Route 53's servers have the change."""
        if state is not None:
            self._change("UPSERT", state)
        elif (before := self.read()) is not None:
            self._change("DELETE", before)

    def _found(self) -> Mapping[str, Any] | None:
        """Return the record as Route 53 has it."""
        record = self._record
        page = self._ask(
            "list_resource_record_sets",
            HostedZoneId=record.zone,
            StartRecordName=record.full_name,
            StartRecordType=record.type,
            MaxItems="10",
        )
        ours = (record.full_name, record.type)
        found = [each for each in page["ResourceRecordSets"] if (_name(each), each["Type"]) == ours]
        if any("AliasTarget" in each or "SetIdentifier" in each for each in found):
            raise ConfigurationError(
                f"{record.full_name} {record.type} is an alias or has a routing policy",
                where=self.place,
                fix="Name a plain record, one that the alias or the policy leads to, in the topology.",
            )
        return found[0] if found else None

    def _change(self, action: str, state: State) -> None:
        record = self._record
        wanted = {
            "Name": record.full_name,
            "Type": record.type,
            "TTL": state["ttl"],
            "ResourceRecords": [{"Value": value} for value in state["values"]],
        }
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": wanted}]}
        answer = self._ask("change_resource_record_sets", HostedZoneId=record.zone, ChangeBatch=batch)
        self._wait_for(answer["ChangeInfo"])

    def _wait_for(self, change: Mapping[str, Any]) -> None:
        """Wait until every name server of Route 53 answers with the change, as far as the doer's time goes."""
        deadline = time.monotonic() + self.seconds
        while change["Status"] != "INSYNC":
            if time.monotonic() + POLL > deadline:
                raise TransientError(
                    f"Route 53 accepted the change {change['Id']}, but not all its servers have it yet",
                    where=self.place,
                    fix="Clear this task: it looks again.",
                )
            time.sleep(POLL)
            change = self._ask("get_change", Id=change["Id"])["ChangeInfo"]

    def _ask(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - heavy

        try:
            return cast("Mapping[str, Any]", getattr(self._client, operation)(**arguments))
        except ClientError as error:
            raise self._refused(error.response["Error"]) from None
        except BotoCoreError as error:
            raise TransientError(
                f"Route 53 does not answer: {error}", where=self.place, fix="Check that the worker can reach it."
            ) from None

    def _refused(self, error: Mapping[str, str]) -> DrError:
        code, message = error.get("Code", ""), error.get("Message", "")
        if code in MAY_PASS:
            return TransientError(f"Route 53 is busy: {code}: {message}", where=self.place, fix="Try again later.")
        return ConfigurationError(
            f"Route 53 refuses: {code}: {message}",
            where=self.place,
            fix="Correct zone, record or values in the topology, or the rights of the account.",
        )


def _name(found: Mapping[str, Any]) -> str:
    """Return a record's name; Route 53 writes a star as an escape."""
    return str(found["Name"]).lower().replace("\\052", "*")
