"""What sends people to the active site, as the topology says it: doers, each with one value or more for every site.

A doer can tell what is set now and set something else. So it is verified by reading it back, and undone by setting what
was found before. Values stand in requests and commands as ``{value}``, the site's name as ``{site}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, JsonValue, StringConstraints, model_validator

from incorta_provider.dr.frozen import FrozenModel, Text

Path = Annotated[str, StringConstraints(pattern=r"^/[!-~]*$")]

State: TypeAlias = Mapping[str, Any]
"""What a doer has set, or is to set: JSON, and equal only to what means the same."""


_PLACEHOLDER = re.compile(r"\{(site|value)\}")


class _Doer(FrozenModel):
    """What all have.

    :ivar name: unique within the group.
    :ivar conn_id: the connection to whom is told.
    :ivar optional: its failure stands in the report and holds up nothing.
    :ivar seconds: how long it may take until what was set is read back.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    conn_id: Text
    optional: bool = False
    seconds: int = Field(default=120, ge=1, le=3600)


class Route53Record(_Doer):
    """A record of a hosted zone in Route 53: a plain one, without alias or routing policy.

    :ivar zone: the hosted zone's id.
    :ivar record: its full name.
    :ivar ttl: seconds for which resolvers keep it; a part of how long the switch takes for people.
    """

    kind: Literal["route53"]
    zone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]+$")]
    record: Text
    type: Literal["A", "AAAA", "CNAME"]
    ttl: int = Field(default=60, ge=0, le=86_400)
    values: dict[str, Annotated[tuple[Text, ...], Field(min_length=1)]]

    @model_validator(mode="after")
    def _one_canonical_name(self) -> Self:
        crowded = [site for site, values in self.values.items() if self.type == "CNAME" and len(values) > 1]
        if crowded:
            raise ValueError(f"a CNAME has one value, and {', '.join(crowded)} has more")
        return self

    @property
    def full_name(self) -> str:
        """The name as Route 53 writes it."""
        return self.record.lower().rstrip(".") + "."

    def state_for(self, site: str) -> State:
        """Return what must be set while a site is active."""
        return {"ttl": self.ttl, "values": sorted(self.values[site])}

    def in_words(self, site: str) -> str:
        """Return what setting it means, for the plan."""
        return f"Route 53 record {self.full_name} {self.type} = {', '.join(sorted(self.values[site]))}"


class SshCommand(_Doer):
    """A command at a host, and another that prints what is set.

    :ivar set: the words of the command; running it twice must do no harm.
    :ivar get: the words of the command that prints the value which is set, and nothing else.
    """

    kind: Literal["ssh"]
    set: Annotated[tuple[Text, ...], Field(min_length=1)]
    get: Annotated[tuple[Text, ...], Field(min_length=1)]
    values: dict[str, Text]

    def state_for(self, site: str) -> State:
        """Return what must be set while a site is active."""
        return {"value": self.values[site]}

    def in_words(self, site: str) -> str:
        """Return what setting it means, for the plan."""
        return f"at {self.conn_id}: {' '.join(self.words(self.values[site]))}"

    def words(self, value: str) -> list[str]:
        """Return the words of the command that sets a value."""
        return [filled(word, {"value": value, "site": site_of(self.values, value)}) for word in self.set]


class HttpRequest(FrozenModel):
    """The request that sets a value. ``body`` is sent as JSON."""

    method: Literal["POST", "PUT", "PATCH"] = "POST"
    path: Path
    body: JsonValue = None


class HttpReading(FrozenModel):
    """Where the value that is set can be read: a path, and the keys that lead to it in the JSON there."""

    path: Path
    key: Annotated[tuple[Text, ...], Field(min_length=1)]


class HttpCall(_Doer):
    """A request to a web service, and another that tells what is set."""

    kind: Literal["http"]
    set: HttpRequest
    get: HttpReading
    values: dict[str, Text]

    def state_for(self, site: str) -> State:
        """Return what must be set while a site is active."""
        return {"value": self.values[site]}

    def in_words(self, site: str) -> str:
        """Return what setting it means, for the plan."""
        return f"{self.set.method} {self.set.path} at {self.conn_id} with {self.values[site]}"

    def body(self, value: str) -> Any:
        """Return the body of the request that sets a value."""
        return filled(self.set.body, {"value": value, "site": site_of(self.values, value)})


TrafficDoer = Annotated[Route53Record | SshCommand | HttpCall, Field(discriminator="kind")]


def site_of(values: Mapping[str, str], value: str) -> str:
    """Return the site that a value stands for; empty for one that was found and is not a site's."""
    return next((site for site, known in values.items() if known == value), "")


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """Return a template with its placeholders filled, in every text of it; what is filled in is not filled again.

    >>> filled({"to": ["{site}", "x-{value}"]}, {"site": "berlin", "value": "{site}"})
    {'to': ['berlin', 'x-{site}']}
    """
    if isinstance(template, Mapping):
        return {name: filled(part, values) for name, part in template.items()}
    if isinstance(template, list | tuple):
        return [filled(part, values) for part in template]
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template) if isinstance(template, str) else template


def doer_faults(doers: tuple[TrafficDoer, ...], sites: list[str]) -> list[str]:
    """Return what is wrong with the doers of a group beyond each one's own fields."""
    faults = []
    names = [doer.name for doer in doers]
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.append(f"two traffic doers are called {name!r}")
    for doer in doers:
        lacking = sorted(set(sites) - set(doer.values))
        unknown = sorted(set(doer.values) - set(sites))
        if lacking:
            faults.append(f"traffic doer {doer.name} has no value for {', '.join(lacking)}")
        if unknown:
            faults.append(f"traffic doer {doer.name} has a value for {', '.join(unknown)}, which is not a site")
        if not lacking and len({str(doer.state_for(site)) for site in sites}) < len(sites):
            faults.append(f"traffic doer {doer.name} has the same value for two sites, so nothing would be switched")
    return faults
